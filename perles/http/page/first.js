// Runs before all else: asks for the first rows, which need not wait for the other scripts.
{
  const token = localStorage.getItem("perles-token");
  if (token && ["", "#/", "#"].includes(location.hash)) {
    window.perlesFirst = fetch("/api/v1/workflows?limit=25", { headers: { Authorization: `Bearer ${token}` }, cache: "no-store" });
    window.perlesFirst.catch(() => {}); // the list asks again, and tells
  }
}
