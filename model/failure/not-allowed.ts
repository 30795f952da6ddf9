/** What the operator does not allow: a part of the table of failures. */
import { failing, type FailureRow } from './failure-row.ts';

export const NOT_ALLOWED = {
  'key-not-allowed': failing(
    'the key does not list a repository that the release would sign for',
    "ask the operator to list the repository under the key in the sign worker's configuration, or name another key",
  ),
  'repository-not-allowed': failing(
    "the spec names a repository that is not below the image's own",
    'name repositories below image.repository, or ask the operator to list them under `furtherRepositories`',
  ),
  'builder-not-allowed': failing(
    'the builder is not listed under `builders` by the control worker or by the build host',
    'ask the operator to list the builder image under `builders` in the worker configuration',
  ),
  'gate-not-allowed': failing(
    'the image of a gate is not listed under `gates`, or not under `gatesWithNetwork` where it wants a network',
    'ask the operator to list the image of the gate under `gates` (`gatesWithNetwork`) in the worker configuration',
  ),
  'git-not-allowed': failing(
    "the URL's scheme is not listed under `git.schemes`",
    'use a git URL whose scheme the worker configuration allows under git.schemes',
  ),
  'secret-not-allowed': failing(
    "the image's or a disk's repository is not listed under the secret, or under `flightctl`",
    "ask the operator to list these repositories under the secret (or flightctl) in the build host's configuration",
  ),
} satisfies Record<string, FailureRow>;
