// The page behind the link that the pointer rests on or the focus is at is asked for ahead, and is there when the link is
// followed. It is held here, for one link and a few seconds, because no page may be kept by the browser (no-store). Where
// a page must not be asked for ahead the server answers 204, and the link is followed as ever.
const REST = 80; // ms on a link before its page is asked for
const FRESH = 5000; // ms after which a page is asked for again
const LONGEST = 15000; // ms, as htmx waits
const HEADERS = { "HX-Request": "true", "HX-Boosted": "true", "HX-Target": "main", "HX-Preloaded": "true" };
let ahead = null;
let timer = 0;

const fresh = (page, link) => page !== null && page.href === link.href && performance.now() - page.at < FRESH;

function likely(start) {
  const link = start.closest?.("a[href]");
  if (!link || link.origin !== location.origin || link.hash || link.target || link.href === location.href) return null;
  const boosted = link.closest("[hx-boost]").getAttribute("hx-boost") === "true";
  return boosted && link.closest("[hx-target]") === document.body ? link : null;
}

async function read(href) {
  const headers = { ...HEADERS, "HX-Current-URL": location.href };
  const answer = await fetch(href, { headers, signal: AbortSignal.timeout(LONGEST) });
  return answer.status === 200 ? { responseURL: answer.url, response: await answer.text(), status: 200 } : null;
}

function ask(link) {
  if (link.isConnected && !fresh(ahead, link)) {
    ahead = { href: link.href, at: performance.now(), answer: read(link.href).catch(() => null) };
  }
}

function rest(start) {
  clearTimeout(timer);
  const link = likely(start);
  if (link && !navigator.connection?.saveData) timer = setTimeout(ask, REST, link);
}

// The request that htmx is about to send is answered with the page; what else is sent may change it, and drops it.
document.addEventListener("htmx:beforeSend", ({ detail: { xhr, requestConfig } }) => {
  clearTimeout(timer);
  const page = ahead;
  ahead = null;
  if (!requestConfig.boosted || requestConfig.verb !== "get" || !fresh(page, requestConfig.elt)) return;
  let left = false;
  xhr.abort = () => {
    left = true;
    xhr.onabort();
  };
  xhr.send = async () => {
    const answer = await page.answer;
    if (left) return;
    delete xhr.abort;
    delete xhr.send;
    if (!answer) xhr.send();
    else xhr.onload(Object.entries(answer).forEach(([name, value]) => Object.defineProperty(xhr, name, { value })));
  };
});

for (const sign of ["pointerover", "focusin"]) document.addEventListener(sign, (event) => rest(event.target));
const pointed = document.querySelector("a:hover") || document.querySelector("a:focus");
if (pointed) rest(pointed);
