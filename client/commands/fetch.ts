/** `flightline fetch`: the file of a published disk, verified as a device would. */
import { Option, type Command } from '@commander-js/extra-typings';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import { bytesInWords } from '../../model/base/words.ts';
import { parseReference } from '../../model/oci/reference.ts';
import { expandTemplate } from '../../model/base/template.ts';
import { DISK_TYPE_NAMES } from '../../model/spec/disk.ts';
import { DISK_REPOSITORY } from '../../model/spec/flightline-spec.ts';
import { fetchDisk } from '../fetch/disk.ts';
import { publicKeyOr } from '../project/public-key.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { verb } from '../verb.ts';
import { style } from '../view/style.ts';

/** Milliseconds between two lines of progress. */
const TELL_EVERY = 5_000;

const syntax = (command: Command) =>
  command
    .argument('<reference>', 'REPOSITORY:TAG of the disk, or of its image with --type')
    .addOption(new Option('--type <type>', 'the disk of that type beside the image').choices(DISK_TYPE_NAMES))
    .option('-o, --output <dir>', 'where the file goes', '.')
    .option('--key <file>', 'the public key; default is what FLIGHTLINE_PUBLIC_KEY names');

export default verb({
  group: 'trust',
  summary: 'fetch a published disk, verified as a device would',
  description:
    'Fetch the file of a disk artifact or container disk. All is refused but what the key signed for that name. ' +
    'A fetch that was interrupted goes on where it stopped.',
  examples: [
    'flightline fetch quay.io/acme/edge-camera:v1 --type qcow2 --output disks --key release.pub',
    'flightline fetch quay.io/acme/edge-camera/diskimage-iso:v1 --key release.pub',
  ],
  json: 'print JSON',

  syntax,

  async run([named], options, output) {
    const publicKey = await publicKeyOr(options.key);
    const reference = options.type === undefined ? named : diskBeside(named, options.type);
    const progress = progressOf(output);
    const fetched = await withUserAccess((access) =>
      fetchDisk(access, { reference, publicKey, directory: options.output }, progress),
    );
    const paint = style(output.colour.result);
    output.result(
      [
        `${fetched.path} (${bytesInWords(fetched.size)})`,
        `  from ${reference}@${fetched.digest}`,
        `  verified as a device would: ${paint.green('yes')}`,
      ].join('\n'),
    );
    output.document({ reference, verified: true, ...fetched });
    return EXIT.ok;
  },
});

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
