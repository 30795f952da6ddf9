/**
 * Makes sure before anything polls that the server has the search attributes: an unknown one blocks a release for ever.
 */
import type { NativeConnection } from '@temporalio/worker';
import { FlightlineError } from '../../model/failure/failure.ts';
import { SEARCH_ATTRIBUTES } from '../../model/stage/stage.ts';

/** Names in `temporal.api.enums.v1.IndexedValueType`, their numbers there, and what the CLI calls them. */
const TYPES = {
  KEYWORD: { value: 2, cli: 'Keyword' },
  KEYWORD_LIST: { value: 7, cli: 'KeywordList' },
} as const satisfies Record<(typeof SEARCH_ATTRIBUTES)[keyof typeof SEARCH_ATTRIBUTES], object>;

/** Search attributes that exist with another type. */
interface AttributePlan {
  missing: string[];
  wrong: string[];
}

/** What to create, given what the server has (name → number of the type). */
export function planSearchAttributes(existing: Record<string, number>): AttributePlan {
  const names = Object.entries(SEARCH_ATTRIBUTES);
  return {
    missing: names.filter(([name]) => existing[name] === undefined).map(([name]) => name),
    wrong: names
      .filter(([name, type]) => existing[name] !== undefined && existing[name] !== TYPES[type].value)
      .map(([name]) => name),
  };
}

/** The command with which an operator creates the attributes. */
export function createCommand(namespace: string, names: readonly string[]): string {
  const flags = names.map((name) => `--name ${name} --type ${typeOf(name).cli}`).join(' ');
  return `temporal operator search-attribute create --namespace ${namespace} ${flags}`;
}

/** `Name=Type` arguments of `temporal server start-dev --search-attribute`. */
export function devServerSearchAttributes(): string[] {
  return Object.keys(SEARCH_ATTRIBUTES).flatMap((name) => ['--search-attribute', `${name}=${typeOf(name).cli}`]);
}

/** How long every part of the server may take to see new attributes (ms). */
const APPEARANCE = 30_000;

/**
 * Creates the missing attributes. Any number of workers may do so at once.
 *
 * @throws FlightlineError `host-setup` with the command that creates them, when this worker may not.
 */
export async function ensureSearchAttributes(connection: NativeConnection, namespace: string): Promise<string[]> {
  const list = async () =>
    connection.withDeadline(Date.now() + 10_000, async () => {
      const answer = await connection.operatorService.listSearchAttributes({ namespace });
      return { ...answer.systemAttributes, ...answer.customAttributes } as Record<string, number>;
    });
  let created: string[] = [];
  try {
    const plan = planSearchAttributes(await list());
    if (plan.wrong.length > 0) {
      throw new FlightlineError(
        'host-setup',
        `the search attributes ${plan.wrong.join(', ')} of namespace ${namespace} have another type than flightline's`,
        {
          remedy: {
            action:
              'remove them (temporal operator search-attribute remove), then: ' +
              `${createCommand(namespace, plan.wrong)}`,
            then: null,
          },
        },
      );
    }
    created = plan.missing;
    if (created.length === 0) return [];
    await connection.withDeadline(Date.now() + 30_000, () =>
      connection.operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(created.map((name) => [name, typeOf(name).value])),
      }),
    );
    const deadline = Date.now() + APPEARANCE;
    while (planSearchAttributes(await list()).missing.length > 0) {
      if (Date.now() > deadline) throw new Error('the server accepted them and does not list them');
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return created;
  } catch (error) {
    if (error instanceof FlightlineError) throw error;
    const { details, message } = error as { details?: string; message?: string };
    const names = created.length > 0 ? created : Object.keys(SEARCH_ATTRIBUTES);
    throw new FlightlineError(
      'host-setup',
      `the search attributes of namespace ${namespace} could not be set up: ${details || message}`,
      { remedy: { action: `have an operator run: ${createCommand(namespace, names)}`, then: null }, cause: error },
    );
  }
}

function typeOf(name: string): (typeof TYPES)[keyof typeof TYPES] {
  return TYPES[SEARCH_ATTRIBUTES[name as keyof typeof SEARCH_ATTRIBUTES]];
}
