// Keeps the page's own files, so that it opens, and says what is wrong, while nothing is served.
const NAME = "perles-1";
const FILES = ["/", "/style.css", "/app.js", "/api.js", "/dom.js", "/list.js", "/workflow.js",
  "/graph.js", "/inbox.js", "/nodes.js", "/transcript.js", "/diff.js", "/icon.svg", "/app.webmanifest"];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(FILES)));
  // What is asked of the server does not wait until this program runs.
  if (event.addRoutes) event.waitUntil(event.addRoutes({ condition: { urlPattern: "/api/*" }, source: "network" }));
  self.skipWaiting();
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const path = new URL(event.request.url).pathname;
  if (event.request.method !== "GET" || !FILES.includes(path)) return;
  event.respondWith(fetch(event.request).then((answer) => {
    if (answer.ok) {
      const copy = answer.clone();
      event.waitUntil(caches.open(NAME).then((cache) => cache.put(path, copy)));
    }
    return answer;
  }).catch(() => caches.match(path)));
});
