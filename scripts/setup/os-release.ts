/** What os-release(5) says about the running distribution. */
export interface OsRelease {
  /** `ID`, such as `debian`. */
  id: string;
  /** `ID_LIKE`, split; empty when absent. */
  like: string[];
  /** `VERSION_ID`, such as `12`; empty for rolling releases. */
  version: string;
  /** `PRETTY_NAME`, for messages. */
  name: string;
}

/** The families whose packages we know by name. */
export type Family = 'debian' | 'fedora' | 'enterprise';

/** Reads os-release(5): shell-like assignments, quoted or not; anything else is passed over. */
export function parseOsRelease(text: string): OsRelease {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Z0-9_]+)=(.*)$/.exec(line.trim());
    if (match?.[1] && match[2] !== undefined) values.set(match[1], unquote(match[2]));
  }
  const id = values.get('ID') ?? 'linux';
  return {
    id,
    like: (values.get('ID_LIKE') ?? '').split(/\s+/).filter((word) => word !== ''),
    version: values.get('VERSION_ID') ?? '',
    name: values.get('PRETTY_NAME') ?? id,
  };
}

function unquote(value: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(value);
  return quoted ? (quoted[2] ?? '').replaceAll(/\\(.)/g, '$1') : value;
}

/** The package family of a distribution, or undefined for one that we do not know. */
export function familyOf(os: OsRelease): Family | undefined {
  const words = [os.id, ...os.like];
  if (words.includes('debian') || words.includes('ubuntu')) return 'debian';
  // CentOS Stream says ID_LIKE="rhel fedora": the more particular word comes first.
  if (words.includes('rhel') || words.includes('centos')) return 'enterprise';
  if (words.includes('fedora')) return 'fedora';
  return undefined;
}
