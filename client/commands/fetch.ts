/** `flightline fetch`: the file of a published disk, verified as a device would. */
import { Option, type Command } from '@commander-js/extra-typings';
import { DISK_TYPE_NAMES } from '../../model/spec/disk.ts';
import { fetchNamed } from '../fetch/named.ts';
import { KEY_OPTION } from '../terminal/arguments.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { verb } from '../verb.ts';

const syntax = (command: Command) =>
  command
    .argument('<reference>', 'REPOSITORY:TAG of the disk, or of its image with --type')
    .addOption(new Option('--type <type>', 'the disk of that type beside the image').choices(DISK_TYPE_NAMES))
    .option('--platform <platform>', "of a disk for several, the one that is meant; default is this machine's")
    .option('-o, --output <dir>', 'where the file goes', '.')
    .option(...KEY_OPTION);

export default verb({
  group: 'trust',
  summary: 'fetch a published disk, verified as a device would',
  description:
    'Fetch the file of a disk artifact or container disk. All is refused but what the key signed for that name. ' +
    'A fetch that was interrupted goes on where it stopped.',
  examples: [
    'flightline fetch quay.io/acme/edge-camera:v1 --type qcow2 --output disks --key release.pub',
    'flightline fetch quay.io/acme/edge-camera/diskimage-iso:v1 --platform linux/arm64 --key release.pub',
  ],
  json: { help: 'print JSON', schemas: ['fetch'] },

  syntax,

  async run([named], options, output) {
    const { reference, ...fetched } = await fetchNamed(named, options, output);
    output.document({ reference, verified: true, ...fetched });
    return EXIT.ok;
  },
});
