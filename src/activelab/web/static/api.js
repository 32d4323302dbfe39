// The data of the page, and calls of the API.

export const page = JSON.parse(document.getElementById("data").textContent);

// An address on this site, which may be below a prefix.
export const at = (path, root = page.root) => root + path;

export class ApiError extends Error {
  constructor(status, body) {
    super(body.message ?? "The server did not answer.");
    this.status = status;
    this.code = body.error;
    this.field = body.field;
  }

  // Whether the same request may go through later: nobody answered, too many asked, or the server is in trouble.
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500 || this.code === "timeout";
  }

  // Whether somebody has to log in first, as the person whose page this is.
  get loggedOut() {
    return this.status === 401 || this.code === "csrf";
  }
}

// What a page does when its person is not logged in any more; true if the request is to be sent again. `who` is
// somebody else who is logged in here now, or null.
export const session = {
  ended: async () => {
    location.assign(`${page.home}/login?next=${encodeURIComponent(location.pathname)}`);
    return false;
  },
};

// A request that nobody answered, within some seconds if they are given, has status 0. `root` is what the addresses of
// another project begin with.
export async function call(method, path, body, seconds = null, root = page.root) {
  const sent = page.csrf;
  try {
    return await ask(method, path, body, seconds, root);
  } catch (error) {
    if (!page.account || !error.loggedOut || error.code === "wrong_password") throw error;
    let who = null;
    if (error.code === "csrf") {
      // Whoever has logged in again in another tab has another token; somebody else must not answer for them.
      const now = page.csrf === sent ? await ask("GET", "me", undefined, null, page.root) : null;
      if (now?.account.id === page.account.id) page.csrf = now.csrf;
      else who = now?.account.name ?? null;
    }
    if (page.csrf === sent && !(await session.ended(who))) throw error;
    return ask(method, path, body, seconds, root);
  }
}

async function ask(method, path, body, seconds, root) {
  const headers = { Accept: "application/json" };
  if (page.csrf && method !== "GET") headers["X-CSRF-Token"] = page.csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(at(`/api/v1/${path}`, root), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      redirect: "error",
      signal: seconds ? AbortSignal.timeout(1000 * seconds) : undefined,
    });
  } catch {
    throw new ApiError(0, {});
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, answer);
  return answer;
}

export const get = (path, root) => call("GET", path, undefined, null, root);
export const post = (path, body = {}, seconds = null, root = page.root) => call("POST", path, body, seconds, root);

// Random enough that no two requests are the same.
export const requestId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
