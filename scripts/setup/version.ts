/** The first version number in a program's `--version` output: `podman version 5.4.2` gives `5.4.2`. */
export function versionIn(output: string): string | undefined {
  return /\d+(?:\.\d+)+/.exec(output)?.[0];
}

/** Compares dotted numbers: negative when `left` is older. Missing parts count as 0. */
export function compareVersions(left: string, right: string): number {
  const a = left.split('.').map(Number);
  const b = right.split('.').map(Number);
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The upstream version of a Debian package version: `1:5.4.2+ds1-2+b2` gives `5.4.2`. */
export function upstreamVersion(packageVersion: string): string {
  return versionIn(packageVersion.replace(/^\d+:/, '')) ?? packageVersion;
}
