/** `flightline completion`: what a shell needs to complete the command line. */
import { Argument } from '@commander-js/extra-typings';
import { bashCompletion } from '../shell/bash.ts';
import { describeVerbs } from '../shell/described-verbs.ts';
import { fishCompletion } from '../shell/fish.ts';
import { zshCompletion } from '../shell/zsh.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { verb } from '../verb.ts';

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;
const SHELLS = Object.keys(SCRIPTS) as (keyof typeof SCRIPTS)[];

export default verb({
  group: 'machine',
  summary: 'print completion for a shell',
  description: 'Print the script by which a shell completes verbs, options, their values, and names of files.',
  examples: [
    'flightline completion bash > /etc/bash_completion.d/flightline',
    'flightline completion zsh > /usr/local/share/zsh/site-functions/_flightline',
    'flightline completion fish > ~/.config/fish/completions/flightline.fish',
  ],

  syntax: (command) => command.addArgument(new Argument('<shell>', 'whose script').choices(SHELLS)),

  async run([shell], _, output) {
    // Loaded now: it is the table of all verbs, this one among them.
    const { fullProgram } = await import('../verbs.ts');
    // Another shell reads it, to which the command is known by its own name.
    output.result(SCRIPTS[shell](describeVerbs(await fullProgram())).trimEnd(), 'asWritten');
    return EXIT.ok;
  },
});
