/** The verbs about the machine they are typed on: doctor, up, worker, drain. */
import { InvalidArgumentError } from 'commander';
import type { Handlers } from './handlers.ts';
import { withoutJson, type Act, type AddVerb, type JsonFlag } from './verb.ts';

/** Repeated from model/contract/queue.ts, which loads zod. */
const ROLES = ['control', 'build', 'sign'];

/** Adds the verbs; `verb` makes one, `act` runs a handler. */
export function addMachineVerbs(verb: AddVerb, act: Act, handlers: Handlers): void {
  verb(
    'doctor',
    'check what this machine needs',
    'Check what this machine needs for its roles, by doing it. Every finding has a remedy.',
    'flightline doctor',
    'flightline doctor --role build --fix',
  )
    .option('--role <roles>', 'check for these roles: control, build, sign', roleList)
    .option('--config <file>', 'the worker configuration to check with')
    .option('--fix', 'apply remedies that are a drop-in file of their own')
    .option('--json', 'print JSON')
    .action((options: JsonFlag & { role?: string[]; config?: string; fix?: boolean }) =>
      act(options, (output) => handlers.doctor(withoutJson(options), output)),
    );

  verb(
    'up',
    'run an embedded stack',
    'Run an embedded stack until Ctrl-C: Temporal with its Web UI, a registry, workers of all roles, a signing key.',
    'flightline up',
    'flightline up --data ~/flightline --registry 127.0.0.1:5000',
  )
    .option('--registry <address>', 'use this registry instead of starting one')
    .option('--data <dir>', 'where its state is kept', '.flightline/stack')
    .option('--no-examples', "do not put the images of examples/debian into the stack's own registry")
    .option('--json', 'print the addresses as JSON once it is up')
    .action((options: JsonFlag & { registry?: string; data: string; examples: boolean }) =>
      act(options, (output) => handlers.up(withoutJson(options), output)),
    );

  verb(
    'worker',
    'run workers against an existing Temporal',
    'Run workers against an existing Temporal until SIGTERM or Ctrl-C; running builds go on and are taken up again.',
    'flightline worker --role build --config /etc/flightline/worker.yaml',
  )
    .option('--role <roles>', 'control, build, sign; several with commas', roleList, ['control', 'build', 'sign'])
    .option('--host-name <name>', "the host's name, the same after every restart; default is the machine's")
    .option('--config <file>', 'the worker configuration; default is /etc/flightline/worker.yaml')
    .option('--metrics <address>', 'IP:PORT where Prometheus reads this worker; default is what the configuration says')
    .action((options: { role: string[]; hostName?: string; config?: string; metrics?: string }) =>
      act({}, (output) => handlers.worker(options, output)),
    );

  verb(
    'drain',
    'let this build host empty itself',
    'Let the build host of this machine promise no more slots. What runs goes on to its end; what would come next is done on other hosts, or waits for one.',
    'flightline drain --comment "new kernel" --wait',
    'flightline drain --undo',
  )
    .option('--undo', 'take claims again')
    .option('--wait', 'wait until no release needs this host any more')
    .option('--comment <text>', 'why; whoever waits for this host reads it')
    .option('--config <file>', 'the worker configuration; default is /etc/flightline/worker.yaml')
    .option('--json', 'print JSON')
    .action((options: JsonFlag & DrainFlags) => act(options, (output) => handlers.drain(withoutJson(options), output)));
}

interface DrainFlags {
  undo?: boolean;
  wait?: boolean;
  comment?: string;
  config?: string;
}

/** `control,build` as a list; each role at most once. */
export function roleList(text: string): string[] {
  const roles = text.split(',').map((role) => role.trim());
  for (const role of roles) {
    if (!ROLES.includes(role)) throw new InvalidArgumentError(`Roles are ${ROLES.join(', ')}.`);
  }
  return ROLES.filter((role) => roles.includes(role));
}
