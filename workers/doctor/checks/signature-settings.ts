/** The signature settings of registries.d, and whether they fit the registries of a worker. Pure. */
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { ok, warning, type CheckResult } from '../check.ts';

export const SYSTEM_DIRECTORY = '/etc/containers/registries.d';

export const DROP_IN = `${SYSTEM_DIRECTORY}/50-flightline.yaml`;

const RegistriesFile = z.looseObject({
  'default-docker': z.looseObject({ 'use-sigstore-attachments': z.boolean().optional() }).nullish(),
  docker: z
    .record(z.string(), z.looseObject({ 'use-sigstore-attachments': z.boolean().optional() }).nullish())
    .nullish(),
});

/** The merged settings of registries.d files. */
interface SignatureSettings {
  byDefault: boolean;
  /** Scopes with a setting of their own. */
  scopes: Record<string, boolean>;
}

/** Reads the texts of registries.d files (containers-registries.d(5)). Skips files that cannot be read. */
export function signatureSettings(texts: readonly string[]): SignatureSettings {
  const settings: SignatureSettings = { byDefault: false, scopes: {} };
  for (const text of texts) {
    const parsed = RegistriesFile.safeParse(parseOrNothing(text));
    if (!parsed.success) continue;
    if (parsed.data['default-docker']?.['use-sigstore-attachments']) settings.byDefault = true;
    for (const [scope, entry] of Object.entries(parsed.data.docker ?? {})) {
      settings.scopes[scope] = entry?.['use-sigstore-attachments'] ?? false;
    }
  }
  return settings;
}

/**
 * The result: which directory counts, whether a private one hides the system's, and for which scopes podman does not
 * read signatures.
 */
export function registriesDirectoryResult(options: {
  /** The private directory, when it exists. */
  masking: string | undefined;
  settings: SignatureSettings;
  /** Repositories or registries that this worker's configuration names. */
  scopes: readonly string[];
  dropInExists: boolean;
}): CheckResult {
  const { masking, settings, scopes, dropInExists } = options;
  const unread = scopes.filter((scope) => !isRead(settings, scope));
  if (masking) {
    return warning(
      `${masking} is in effect and replaces ${SYSTEM_DIRECTORY}`,
      `podman run by hand reads only ${masking}: move its files to ${SYSTEM_DIRECTORY} unless that is meant`,
    );
  }
  if (unread.length === 0) {
    const read = scopes.length === 0 ? 'no registry needs an entry' : `signatures of ${scopes.join(', ')} are read`;
    return ok(`${SYSTEM_DIRECTORY} is in effect; ${read}`);
  }
  const names = unread.join(', ');
  const detail = `${SYSTEM_DIRECTORY} is in effect, and podman run by hand does not read signatures of ${names}`;
  const entries = Object.fromEntries(unread.map((scope) => [scope, { 'use-sigstore-attachments': true }]));
  const comment = `# flightline: the signatures of these registries are beside the images.\n`;
  // Only one file may name a scope, so a new file cannot fix an entry of an existing one.
  const isTaken = unread.some((scope) => settings.scopes[scope] !== undefined);
  return isTaken || dropInExists
    ? warning(detail, `set use-sigstore-attachments: true for them in ${SYSTEM_DIRECTORY}`)
    : warning(detail, `\`flightline doctor --fix\` writes ${DROP_IN}`, {
        file: DROP_IN,
        content: `${comment}${stringify({ docker: entries })}`,
      });
}

/** The setting of the closest scope above, else the default. */
function isRead(settings: SignatureSettings, scope: string): boolean {
  for (let at = scope; at !== ''; at = at.includes('/') ? at.slice(0, at.lastIndexOf('/')) : '') {
    const own = settings.scopes[at];
    if (own !== undefined) return own;
  }
  return settings.byDefault;
}

function parseOrNothing(text: string): unknown {
  try {
    return parse(text) ?? {};
  } catch {
    return undefined;
  }
}
