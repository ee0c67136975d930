// The token that `tessera open` put into the address. It is taken out of there at once, and kept
// for as long as this tab is.

const key = "tessera.token";

// From "#token=...", or as kept; "" where there is none.
export function takeToken(location, history, storage) {
  const match = /^#token=([^&]+)/.exec(location.hash);
  if (match) {
    history.replaceState(null, "", location.pathname);
    storage.setItem(key, decodeURIComponent(match[1]));
  }
  return storage.getItem(key) ?? "";
}

export const forgetToken = (storage) => storage.removeItem(key);
