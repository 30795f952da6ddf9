/** The changelog of a release of flightline. Pure. */

/**
 * Heads what is unreleased with its version and day.
 *
 * @throws Error when there is nothing, or when it does not say what an upgrade takes
 */
export function headed(changelog: string, version: string, day: Date): string {
  const [, unreleased] = /^## Unreleased\n([^]*?)(?=^## |$(?![^]))/m.exec(changelog) ?? [];
  if (unreleased === undefined) throw new Error('CHANGELOG.md has nothing under "## Unreleased"');
  if (!/^### On an upgrade\n\n\S/m.test(unreleased)) {
    throw new Error(
      'CHANGELOG.md does not say what an upgrade takes: add "### On an upgrade", also when it is nothing',
    );
  }
  return changelog.replace('## Unreleased\n', `## ${version} (${day.toISOString().slice(0, 10)})\n`);
}
