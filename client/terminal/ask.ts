/** Asks a person for what a command needs, on the terminal: standard output stays for the result. */
import { isatty } from 'node:tty';
import { confirm, isCancel, select, text, type Option } from '@clack/prompts';
import { Interrupted } from './pause.ts';

/** Asks a person; a verb that has none asks nothing. */
export interface Asker {
  choose<Value extends string>(question: string, options: readonly { value: Value; hint: string }[]): Promise<Value>;
  confirm(question: string): Promise<boolean>;
  text(question: string, example: string, problemWith: (text: string) => string | undefined): Promise<string>;
}

/** The asker; null without a terminal on both sides. */
export function terminalAsker(): Asker | null {
  return isatty(0) && isatty(2) ? asker : null;
}

const asker: Asker = {
  async choose<Value extends string>(message: string, options: readonly { value: Value; hint: string }[]) {
    const offered = options.map(({ value, hint }) => ({ value, hint })) as unknown as Option<Value>[];
    return answered(await select<Value>({ message, options: offered, output: process.stderr }));
  },
  async confirm(message) {
    return answered(await confirm({ message, initialValue: false, output: process.stderr }));
  },
  async text(message, placeholder, problemWith) {
    const validate = (given: string | undefined) => problemWith((given ?? '').trim());
    return (answered(await text({ message, placeholder, validate, output: process.stderr })) ?? '').trim();
  },
};

/** @throws Interrupted on Ctrl-C */
function answered<Value>(answer: Value): Exclude<Value, symbol> {
  if (isCancel(answer)) throw new Interrupted('interrupted: nothing was written');
  return answer as Exclude<Value, symbol>;
}
