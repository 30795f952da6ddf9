/** The README's sentences on what a release costs, from what the benchmark measured. Pure. */

/** @param benchmarks docs/benchmarks.md */
export function costLine(benchmarks: string): string {
  const figure = (what: string) => {
    const row = benchmarks.split('\n').find((line) => line.startsWith(`| ${what} |`));
    if (!row) throw new Error(`docs/benchmarks.md has no row "${what}"`);
    return row.split('|')[2]!.trim();
  };
  return [
    'What it costs, beside the same commands in a shell script: one image and one qcow2 take ' +
      `${figure('one image and one qcow2, nothing cached')} (flightline adds ` +
      `${figure('the same, time that flightline adds')}), the same again with nothing changed ` +
      `${figure('again, nothing changed')}, and an image with three disks, both killed at half of the disk builds, ` +
      `${figure('the same, both killed at half of the disk builds')}`,
    '([docs/benchmarks.md](docs/benchmarks.md)).',
  ]
    .join(' ')
    .replaceAll(/(.{1,118})(?: |$)/g, '$1\n')
    .trimEnd();
}
