/** A person at two terminals: the stack runs on the first, and the second is typed on. */
import { expect } from 'vitest';
import { TypedTerminal, type TerminalOptions } from '../../scripts/recording/typed-terminal.ts';

export interface TwoTerminals {
  first: TypedTerminal;
  second: TypedTerminal;
  /** Types a command on the second, which is to end well within some milliseconds. @returns what it showed */
  typed: (command: string, within?: number) => Promise<string>;
  /** Ends both, and with Ctrl-C what runs on the first. */
  close: () => Promise<void>;
}

export function twoTerminals(options: TerminalOptions): TwoTerminals {
  const [first, second] = [new TypedTerminal(options), new TypedTerminal(options)];
  return {
    first,
    second,
    async typed(command, within = 300_000) {
      const from = second.shown.length;
      const code = await second.run(command, within);
      const shown = second.shown.slice(from);
      expect(code, shown).toBe(0);
      return shown;
    },
    async close() {
      await second.close();
      await first.typeToPrompt('\u0003').catch(() => undefined);
      await first.close();
    },
  };
}
