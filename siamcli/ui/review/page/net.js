// Talks to siamtrack: changes go one after the other, each to the version that it was made to.

let chain = Promise.resolve();

async function request(path, options) {
  let reply;
  try {
    reply = await fetch(path, options);
  } catch {
    throw new Error("siamtrack does not answer: if it still runs, look after the connection and reload this page");
  }
  const document = await reply.json();
  if (reply.ok) return document;
  const error = new Error(document.hint ? `${document.error}: ${document.hint}` : document.error);
  error.refused = true; // unlike an answer that did not come
  throw error;
}

export const get = (path) => request(path);

// `change()` gives what to send, once all before it is answered
export function send(clip, change, taken) {
  const work = chain.then(async () => {
    const body = JSON.stringify(change());
    taken(await request(`clips/${clip}`, { method: "POST", headers: { "Content-Type": "application/json" }, body }));
  });
  chain = work.catch(() => {});
  return work;
}

// once all changes are answered
export const settled = () => chain;

// `lost()` where the connection breaks, `again()` once it is there anew
export function listen(heard, lost, again) {
  const source = new EventSource("events");
  let opened = false;
  source.onmessage = (event) => heard(JSON.parse(event.data));
  source.onerror = lost;
  source.onopen = () => {
    if (opened) again();
    opened = true;
  };
  return source;
}
