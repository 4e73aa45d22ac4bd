// Keeps the page's own files, so that it opens, and says what is wrong, while nothing is served.
const VERSION = "@VERSION@"; // the server puts in the folder of the files
const NAME = `perles-${VERSION}`;
const KEPT = ["/", "/icon.svg", "/app.webmanifest"];
const FILES = ["first.js", "style.css", "app.js", "api.js", "dom.js", "list.js", "workflow.js",
  "graph.js", "inbox.js", "nodes.js", "transcript.js", "diff.js"].map((name) => `/${VERSION}/${name}`);

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll([...KEPT, ...FILES])));
  // What is asked of the server does not wait until this program runs.
  if (event.addRoutes) event.waitUntil(event.addRoutes({ condition: { urlPattern: "/api/*" }, source: "network" }));
  self.skipWaiting();
});
self.addEventListener("activate", (event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name !== NAME) await caches.delete(name);
  await self.clients.claim();
})()));

async function newest(event, path) {
  try {
    const answer = await fetch(event.request);
    if (answer.ok) {
      const copy = answer.clone();
      event.waitUntil(caches.open(NAME).then((cache) => cache.put(path, copy)));
    }
    return answer;
  } catch (error) {
    const found = await caches.match(path);
    if (!found) throw error;
    return found;
  }
}

self.addEventListener("fetch", (event) => {
  const path = new URL(event.request.url).pathname;
  if (event.request.method !== "GET") return;
  if (FILES.includes(path)) event.respondWith(caches.match(path).then((found) => found ?? fetch(event.request)));
  else if (KEPT.includes(path)) event.respondWith(newest(event, path));
});
