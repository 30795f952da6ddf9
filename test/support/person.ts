/** The environment of a person at a terminal: this run's own Temporal, stack and npm settings do not reach in. */
export function personEnvironment(): Record<string, string | undefined> {
  const foreign = /^(?:TEMPORAL_|FLIGHTLINE_|CONTAINERS_CONF$|npm_|VITEST|CI$)/;
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => name === 'TEMPORAL_CLI_PATH' || !foreign.test(name)),
  );
}
