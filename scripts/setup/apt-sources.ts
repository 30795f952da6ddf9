/** One source of apt: a deb822 stanza or a line of sources.list, binary packages only. */
export interface AptSource {
  uris: string[];
  suites: string[];
  components: string[];
  /** Every other field of the stanza, such as `Signed-By`, verbatim (continuation lines included). */
  options: Record<string, string>;
}

/** Fields that say what is fetched rather than how it is trusted. */
const OWN_FIELDS = new Set(['types', 'uris', 'suites', 'components', 'enabled']);

/** One-line options by their deb822 names; others have the same name in both. */
const ONE_LINE_OPTIONS: Record<string, string> = {
  'signed-by': 'Signed-By',
  arch: 'Architectures',
  trusted: 'Trusted',
  'allow-insecure': 'Allow-Insecure',
  'check-valid-until': 'Check-Valid-Until',
};

function words(value: string | undefined): string[] {
  return (value ?? '').split(/\s+/).filter((word) => word !== '');
}

/**
 * Reads a file in deb822 format (sources.list.d/*.sources). Disabled stanzas and sources of source code are left out.
 */
export function parseDeb822(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const paragraph of text.split(/\n(?:[ \t]*\n)+/)) {
    const fields = new Map<string, { name: string; value: string }>();
    let current: { name: string; value: string } | undefined;
    for (const line of paragraph.split('\n')) {
      if (line.startsWith('#')) continue;
      const field = /^([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)$/.exec(line);
      if (field?.[1]) {
        current = { name: field[1], value: field[2] ?? '' };
        fields.set(field[1].toLowerCase(), current);
      } else if (current && /^[ \t]/.test(line)) {
        current.value += `\n${line}`;
      }
    }
    if (!words(fields.get('types')?.value).includes('deb')) continue;
    if (/^(no|false|off|0)$/i.test(fields.get('enabled')?.value.trim() ?? 'yes')) continue;
    sources.push({
      uris: words(fields.get('uris')?.value),
      suites: words(fields.get('suites')?.value),
      components: words(fields.get('components')?.value),
      options: Object.fromEntries(
        [...fields].filter(([key]) => !OWN_FIELDS.has(key)).map(([, { name, value }]) => [name, value]),
      ),
    });
  }
  return sources;
}

/** Reads a file of one-line entries (sources.list, sources.list.d/*.list). */
export function parseOneLine(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)([^#]*)/.exec(line);
    if (!match?.[2] || !match[3]) continue;
    const options: Record<string, string> = {};
    for (const option of words(match[1])) {
      const [name = '', value = ''] = option.split(/[+-]?=/, 2);
      options[ONE_LINE_OPTIONS[name] ?? name] = value.replaceAll(',', ' ');
    }
    sources.push({ uris: [match[2]], suites: [match[3]], components: words(match[4]), options });
  }
  return sources;
}

/** Whether some source gives a suite, as `bookworm`. */
export function namesSuite(sources: readonly AptSource[], ...suites: string[]): boolean {
  return sources.some((source) => source.suites.some((suite) => suites.includes(suite)));
}

/** The files that make apt know trixie. */
export interface TrixieFiles {
  /** Text of the deb822 file. */
  sources: string;
  /** Text of the preferences file. */
  preferences: string;
  /** The mirrors named in it, for messages. */
  mirrors: string[];
}

/**
 * Names Debian 13 (trixie) on the mirrors that the machine uses for Debian 12, trusted in the same way, and pins it so
 * low that nothing comes from there unless it is asked for. Undefined when no source names bookworm.
 */
export function trixieFiles(sources: readonly AptSource[]): TrixieFiles | undefined {
  const main = sources.find((source) => source.suites.includes('bookworm'));
  if (!main) return undefined;
  const stanzas = [stanza(main, ['trixie'])];
  const mirrors = [...main.uris];
  // With the security suite, a later `apt upgrade` brings the fixes of what was installed from trixie.
  const security = sources.find((source) => source.suites.includes('bookworm-security'));
  if (security) {
    stanzas.push(stanza(security, ['trixie-security']));
    mirrors.push(...security.uris);
  }
  const header =
    '# Written by flightline: podman and its relatives are too old in Debian 12. See the preferences of this name.\n';
  return {
    sources: header + stanzas.join('\n'),
    preferences:
      '# Written by flightline: nothing comes from trixie unless it is asked for.\n' +
      'Package: *\nPin: release n=/^trixie/\nPin-Priority: 100\n',
    mirrors: [...new Set(mirrors)],
  };
}

function stanza(like: AptSource, suites: string[]): string {
  const options = Object.entries(like.options).map(([name, value]) => `${name}: ${value}\n`);
  return `Types: deb\nURIs: ${like.uris.join(' ')}\nSuites: ${suites.join(' ')}\nComponents: main\n${options.join('')}`;
}
