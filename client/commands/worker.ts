/** `flightline worker`: workers of this machine against an existing Temporal. */
import { ROLES } from '../../model/contract/queue.ts';
import { runWorker } from '../../workers/run.ts';
import { roleList } from '../terminal/arguments.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { withStop } from '../terminal/signals.ts';
import { verb } from '../verb.ts';

export default verb({
  group: 'machine',
  summary: 'run workers against an existing Temporal',
  description:
    'Run workers against an existing Temporal until SIGTERM or Ctrl-C; running builds go on and are taken up again.',
  examples: ['flightline worker --role build --config /etc/flightline/worker.yaml'],

  syntax: (command) =>
    command
      .option('--role <roles>', 'control, build, sign; several with commas', roleList, [...ROLES])
      .option('--host-name <name>', "the host's name, the same after every restart; default is the machine's")
      .option('--config <file>', 'the worker configuration; default is /etc/flightline/worker.yaml')
      .option(
        '--metrics <address>',
        'IP:PORT where Prometheus reads this worker; default is what the configuration says',
      ),

  /** Their log goes to stdout, a JSON object on each line. */
  async run(_, { role, hostName, config, metrics }) {
    // Not SIGHUP: `nohup` starts workers too.
    await withStop(
      (signal) => runWorker({ roles: role, hostName, configurationFile: config, metrics, signal }),
      ['SIGINT', 'SIGTERM'],
    );
    return EXIT.ok;
  },
});
