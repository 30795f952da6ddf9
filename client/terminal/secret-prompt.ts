/** Asks a person for a secret on the terminal, without showing it. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { Interrupted } from './pause.ts';

/** One line from the terminal, not echoed. @throws Interrupted on Ctrl-C. */
export async function askSecret(question: string): Promise<string> {
  process.stderr.write(question);
  // readline echoes what is typed to its output, so this output discards it.
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      reader.once('SIGINT', () => reject(new Interrupted()));
      reader.once('close', () => reject(new Interrupted()));
      reader.once('line', resolve);
    });
  } finally {
    reader.close();
    process.stderr.write('\n');
  }
}
