/** How much time a disk build loses when its worker is killed in the middle of it and started again at once. */
import { setTimeout as pause } from 'node:timers/promises';
import { makeProject } from '../../test/support/project.ts';
import { recordFrom, startFlightline } from '../../test/support/flightline.ts';
import { eventually } from '../../test/support/wait.ts';
import { openSite, type Site } from './site.ts';

/** The most that may be lost, as a part of the disk build's undisturbed time. */
const MOST = 0.1;

export interface RestartCostOptions {
  /** Seconds that the builder takes at least. */
  builderSeconds: number;
  runs: number;
  say: (line: string) => void;
}

/** The middle value; of an even number, the larger of the two in the middle. Pure. */
export function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)]!;
}

/** Measures with the default timings. Answers whether the median is low enough. */
export async function restartCost({ builderSeconds, runs, say }: RestartCostOptions): Promise<boolean> {
  const site = await openSite({ hosts: 'machine', timing: {} }, say);
  try {
    // The first release pulls images to the host, which later ones find there.
    await diskBuild(site, 'warm-up', 1, false);
    const undisturbed = await diskBuild(site, 'undisturbed', builderSeconds, false);
    say(`undisturbed: ${inSeconds(undisturbed)}`);
    const lost: number[] = [];
    for (let run = 1; run <= runs; run++) {
      const killed = await diskBuild(site, `killed-${run}`, builderSeconds, true);
      lost.push(killed - undisturbed);
      say(`killed at half: ${inSeconds(killed)}, lost ${inSeconds(killed - undisturbed)}`);
    }
    const part = median(lost) / undisturbed;
    say(
      `median of ${runs}: ${inSeconds(median(lost))} lost, ${(100 * part).toFixed(1)} % of a disk build of ` +
        `${inSeconds(undisturbed)}`,
    );
    return part < MOST;
  } finally {
    await site.end({ keep: false });
  }
}

/** One release with one disk; answers how long its disk build took (ms). */
async function diskBuild(site: Site, name: string, builderSeconds: number, kill: boolean): Promise<number> {
  const { stack, environment } = site;
  const [host] = site.hosts as [(typeof site.hosts)[number]];
  const project = await makeProject({
    registry: stack.registry,
    name: `cost/${name}`,
    lines: [`LABEL io.flightline.example.builder-seconds=${builderSeconds}`],
    disks: [{ type: 'qcow2' }],
  });
  try {
    const timeout = builderSeconds * 3_000 + 300_000;
    const running = startFlightline(['run', project.spec, '--json'], { environment, timeout });
    if (kill) {
      await eventually('the builder runs', async () => {
        return (await host.containers()).some(({ state }) => state === 'running') || undefined;
      });
      await pause((builderSeconds * 1_000) / 2);
      await host.stop('SIGKILL');
      await host.start();
    }
    const { exitCode, stdout, stderr } = await running;
    const record = recordFrom({ exitCode: exitCode ?? -1, stdout: String(stdout), stderr: String(stderr) });
    const stage = record.stages.find((row) => row.name === 'disk-build');
    if (record.status !== 'released' || !stage?.durationMs) throw new Error(`${name}: ${record.status}\n${stderr}`);
    if (kill && stage.attempts < 2) throw new Error(`${name}: the kill came too late`);
    return stage.durationMs;
  } finally {
    await project.remove();
  }
}

function inSeconds(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(1)} s`;
}
