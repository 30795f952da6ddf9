/** Finds the proxy for an address in the environment. Pure. */

/**
 * The proxy for an address by the usual variables (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, also in lower case);
 * `undefined` for none. Reads them as Go's `http.ProxyFromEnvironment` does, as skopeo and podman do. Loopback
 * addresses have no proxy.
 */
export function proxyFor(url: URL, environment: Record<string, string | undefined>): URL | undefined {
  const value = (name: string) => environment[name] || environment[name.toLowerCase()] || undefined;
  const text = value(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  const host = url.hostname.toLowerCase();
  if (!text || host === 'localhost' || host === '[::1]' || /^127(?:\.\d+){3}$/.test(host)) return undefined;
  const excluded = (value('NO_PROXY') ?? '').split(',').map((entry) => entry.trim().toLowerCase());
  for (const entry of excluded) {
    if (entry === '*') return undefined;
    const [name, port] = entry.replace(/^\*?\./, '').split(':');
    if (!name || (port && port !== (url.port || (url.protocol === 'https:' ? '443' : '80')))) continue;
    if (host === name || host.endsWith(`.${name}`)) return undefined;
  }
  try {
    return new URL(text.includes('://') ? text : `http://${text}`);
  } catch {
    return undefined;
  }
}
