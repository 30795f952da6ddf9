/** An embedded stack: how it is started, and what it is. */
import type { Role } from '../../model/contract/queue.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import type { RegistryAuth, StackPaths } from './files.ts';
import type { WorkerCommand } from './plans.ts';
import type { ChildState } from './state.ts';
import type { StackEvent } from './processes/supervisor.ts';

export interface StackOptions {
  /** Keeps everything. Created (0700) if needed. */
  directory: string;
  /** An existing registry, `quay.io/acme` or `127.0.0.1:5000`, instead of the stack's own. */
  registry?: string;
  /** containers-auth.json(5) with the login for that registry; default is where `podman login` leaves it. */
  authfile?: string;
  /** Makes the stack's own registry require a login. */
  registryAuth?: RegistryAuth;
  /** Workers to run; default all. */
  roles?: readonly Role[];
  /** Default is the machine's name. */
  hostName?: string;
  /** Changes the generated worker configuration before it is written. */
  configure?: (configuration: WorkerConfiguration) => WorkerConfiguration;
  /** Text of a file with what the workers are granted besides; kept for later starts. Default is what was kept. */
  workerConfiguration?: string;
  /** How a worker process is started; default is this installation's `flightline worker`. */
  workerCommand?: WorkerCommand;
  /** Called when something happens to the processes. */
  onEvent?: (event: StackEvent) => void;
  /** Called with a line about each thing that takes long, such as building the Temporal CLI. */
  report?: (line: string) => void;
  /** Gives up starting, and ends what was started. */
  signal?: AbortSignal;
}

/** A running stack. */
export interface Stack {
  readonly directory: string;
  readonly paths: StackPaths;
  readonly temporal: {
    /** `127.0.0.1:port`, gRPC. */
    address: string;
    namespace: string;
    /** `http://127.0.0.1:port`. */
    webUi: string;
  };
  /** Address of the registry; with a path when an existing one was given with it. */
  readonly registry: string;
  readonly configuration: WorkerConfiguration;
  /** The login for the registry, if it needs one. */
  readonly authfile: string | undefined;
  /** What DIR/environment exports. */
  readonly environment: Record<string, string>;
  /** The running processes. */
  children(): ChildState[];
  /** Resolves when the server or the registry has died repeatedly and the stack has been stopped. Never rejects. */
  readonly failed: Promise<Error>;
  /** Ends the workers, then the registry, then the server. May be called more than once. */
  stop(): Promise<void>;
}
