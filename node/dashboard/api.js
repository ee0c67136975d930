// The local API, as node/http/API.md describes it. What it refuses is thrown with its own words.

export class Refused extends Error {
  constructor(status, { code = "", title = "", detail = "", fix = "" } = {}) {
    super(title || `the node answered with HTTP status ${status}`);
    Object.assign(this, { status, code, why: detail, fix });
  }
}

export class Api {
  #token;
  #fetch;

  constructor(token, fetcher = (...args) => fetch(...args)) {
    this.#token = token;
    this.#fetch = fetcher;
  }

  get = async (path) => (await this.#ask(path)).json();
  blob = async (path) => (await this.#ask(path)).blob();
  post = async (path, body, headers = {}) =>
    (
      await this.#ask(path, {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json", ...headers },
      })
    ).json();
  put = async (path, body) => (await this.#ask(path, { method: "PUT", body })).json();
  stream = (path, lastId, signal) =>
    this.#ask(path, {
      signal,
      headers: { Accept: "text/event-stream", ...(lastId ? { "Last-Event-ID": lastId } : {}) },
    });

  async #ask(path, { headers = {}, ...rest } = {}) {
    const response = await this.#fetch(path, {
      ...rest,
      headers: { ...headers, Authorization: `Bearer ${this.#token}` },
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      referrerPolicy: "no-referrer",
    });
    if (response.ok) return response;
    throw new Refused(response.status, await response.json().catch(() => ({})));
  }
}

export const jobPath = (id, what = "") => `/v1/jobs/${encodeURIComponent(id)}${what}`;
