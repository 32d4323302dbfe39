// The data of the page, and calls of the API.

export const page = JSON.parse(document.getElementById("data").textContent);

// An address on this site, which may be below a prefix.
export const at = (path) => page.root + path;

export class ApiError extends Error {
  constructor(status, body) {
    super(body.message ?? "The server did not answer.");
    this.status = status;
    this.code = body.error;
    this.field = body.field;
  }

  // Whether the same request may go through later: nobody answered, too many asked, or the server is in trouble.
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

// A request that nobody answered has status 0.
export async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (page.csrf && method !== "GET") headers["X-CSRF-Token"] = page.csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(at(`/api/v1/${path}`), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      redirect: "error",
    });
  } catch {
    throw new ApiError(0, {});
  }
  if (response.status === 401 && page.account) {
    location.assign(`${page.home}/login?next=${encodeURIComponent(location.pathname)}`);
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, answer);
  return answer;
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);

// Random enough that no two requests are the same.
export const requestId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
