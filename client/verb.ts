/** What the files that describe the command line share. Loads nothing that `--help` does not need. */
import type { Command } from 'commander';
import type { Output } from './terminal/output.ts';

/** Adds a verb to the program. */
export type AddVerb = (name: string, summary: string, description: string, ...examples: string[]) => Command;

/** Runs a handler with the output that `--json` asks for. */
export type Act = (options: JsonFlag, work: (output: Output) => Promise<number>) => Promise<void>;

export interface JsonFlag {
  json?: boolean | undefined;
}

/** Options as handlers take them: the output knows of `--json`. */
export function withoutJson<Options extends JsonFlag>({ json: _, ...options }: Options): Omit<Options, 'json'> {
  return options;
}

/** Examples as help shows them. */
export function example(...lines: string[]): string {
  return `\nExample${lines.length > 1 ? 's' : ''}:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`;
}
