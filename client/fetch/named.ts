/** Fetches the disk that a person names: its own reference, or its image's with a type. */
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import { expandTemplate } from '../../model/base/template.ts';
import { bytesInWords } from '../../model/base/words.ts';
import { parseReference } from '../../model/oci/reference.ts';
import { DISK_REPOSITORY } from '../../model/spec/flightline-spec.ts';
import { publicKeyOr } from '../project/public-key.ts';
import { architectureNamed } from '../terminal/arguments.ts';
import type { Output } from '../terminal/output.ts';
import { style } from '../view/style.ts';
import { fetchDisk, type FetchedDisk } from './disk.ts';

/** Milliseconds between two lines of progress. */
const TELL_EVERY = 5_000;

/** Fetches it, and says where it is. @throws as {@link fetchDisk} */
export async function fetchNamed(
  named: string,
  options: { type?: string | undefined; output: string; key?: string | undefined; platform?: string | undefined },
  output: Output,
): Promise<FetchedDisk & { reference: string }> {
  const publicKey = await publicKeyOr(options.key);
  const reference = options.type === undefined ? named : diskBeside(named, options.type);
  const architecture = architectureNamed(options.platform);
  const progress = progressOf(output);
  const fetched = await withUserAccess((access) =>
    fetchDisk(access, { reference, publicKey, directory: options.output, architecture }, progress),
  );
  const paint = style(output.colour.result);
  output.result(
    [
      `${fetched.path} (${bytesInWords(fetched.size)})`,
      `  from ${reference}@${fetched.digest}${fetched.platform ? ` for ${fetched.platform}` : ''}`,
      `  verified as a device would: ${paint.green('yes')}`,
    ].join('\n'),
  );
  return { ...fetched, reference };
}

/** The disk that a release publishes beside its image unless its spec says otherwise. */
function diskBeside(image: string, type: string): string {
  const parsed = parseReference(image);
  if (!parsed.ok) return image;
  const { repository } = parsed.reference;
  const disk = expandTemplate(DISK_REPOSITORY, { repository, type });
  return disk.ok ? `${disk.text}${image.slice(repository.length)}` : image;
}

/** Tells how far it is, a line now and then. */
function progressOf(output: Output): (bytes: number, total: number) => void {
  let told = Date.now();
  return (bytes, total) => {
    if (Date.now() < told + TELL_EVERY) return;
    told = Date.now();
    output.note(`fetched ${bytesInWords(bytes)} of ${bytesInWords(total)}`);
  };
}
