import { createInterface } from 'node:readline/promises';
import { TemporalCliError, findTemporalCli } from '../../workers/stack/temporal-cli/temporal-cli.ts';
import { findMissing, inspectMachine, readAptSources, readOsRelease } from './detect.ts';
import { install, TRIXIE_PREFERENCES, TRIXIE_SOURCES } from './install.ts';
import { describeMissing, makePlan, SetupError } from './plan.ts';
import type { Missing, Plan } from './plan.ts';
import { toolsFor } from './tools.ts';
import type { Purpose } from './tools.ts';

/** What to set this machine up for, and whether to ask first. */
export interface SetUpOptions {
  purpose: Purpose;
  /** Change the system without asking (`--yes`). In a CI system nobody is asked either. */
  assumeYes: boolean;
}

function say(message: string): void {
  process.stderr.write(`${message}\n`);
}

/**
 * Brings this machine's tools into the state a purpose needs: looks, says what it would change and why, asks, installs,
 * and looks again. Does nothing, in about a tenth of a second, when nothing is missing. Messages go to stderr.
 * Throws SetupError, whose message says what to do, when that is not possible or was declined.
 */
export async function setUp({ purpose, assumeYes }: SetUpOptions): Promise<void> {
  const tools = toolsFor(purpose, await inspectMachine());
  const missing = await findMissing(tools);
  if (missing.length > 0) await setUpTools(missing, { purpose, assumeYes });
  if (purpose !== 'run') await setUpTemporal();
}

async function setUpTools(missing: readonly Missing[], { purpose, assumeYes }: SetUpOptions): Promise<void> {
  const os = await readOsRelease();
  const plan = makePlan(os, missing, await readAptSources());
  say(`Needed and not on this machine (${os.name}):\n${missing.map(describeMissing).join('\n')}\n`);
  if (plan.packages.length > 0 || plan.build.length > 0) {
    say(
      `What will be done:\n${describePlan(plan)
        .map((line) => `  - ${line}\n`)
        .join('')}`,
    );
    if (process.getuid?.() !== 0) {
      throw new SetupError(
        'Installing needs root. Run this, and then the command again:\n' +
          `  sudo env "PATH=$PATH" npm run setup -- --for ${purpose}`,
      );
    }
    await ask(assumeYes);
    const start = Date.now();
    await install(plan, missing);
    say(`Host tools installed in ${Math.round((Date.now() - start) / 1000)} s.\n`);
  }
  await report(plan, missing);
}

function describePlan(plan: Plan): string[] {
  const lines: string[] = [];
  if (plan.trixie?.files) {
    lines.push(
      `write ${TRIXIE_SOURCES} (Debian 13 "trixie" from the mirror this machine already uses: ` +
        `${plan.trixie.files.mirrors.join(', ')}) and ${TRIXIE_PREFERENCES}, which pins it so low that nothing else ` +
        'comes from there',
    );
  }
  if (plan.packages.length > 0) {
    const from = plan.trixie ? ' from trixie' : '';
    lines.push(`install with ${plan.manager === 'apt' ? 'apt-get' : 'dnf'}${from}: ${plan.packages.join(' ')}`);
  }
  if (plan.trixie?.files) lines.push('upgrade the C library (libc6) to trixie’s, with what depends on its version');
  for (const program of plan.build) lines.push(`build ${program.path} with "go install ${program.module}" (2 minutes)`);
  return lines;
}

/** Who says whether the system may be changed. Pure. */
export function whoAnswers(
  assumeYes: boolean,
  ci: string | undefined,
  terminal: boolean,
): 'said yes' | 'person' | 'nobody' {
  if (assumeYes || (ci && ci !== 'false')) return 'said yes';
  return terminal ? 'person' : 'nobody';
}

/** Asks before the system is changed. Throws SetupError on anything but yes. */
async function ask(assumeYes: boolean): Promise<void> {
  const answerer = whoAnswers(assumeYes, process.env['CI'], process.stdin.isTTY);
  if (answerer === 'nobody') {
    throw new SetupError(
      'Nothing was changed: there is no terminal to ask at. Give --yes (after `--` where npm runs the command), ' +
        'or do it yourself.',
    );
  }
  if (answerer === 'said yes') return;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and Ctrl-D close the prompt and leave the question without an answer: that is a no.
  const closed = new Promise<string>((resolve) => {
    prompt.once('close', () => resolve(''));
  });
  const answer = await Promise.race([prompt.question('Change this system? [y/N] '), closed]);
  prompt.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new SetupError('Nothing was changed.');
}

/** Looks again: what an installation promised is not always what it did. */
async function report(plan: Plan, missing: readonly Missing[]): Promise<void> {
  const elsewhere = new Set(plan.elsewhere.map(({ tool }) => tool));
  const still = await findMissing(missing.map(({ tool }) => tool).filter((tool) => !elsewhere.has(tool)));
  if (still.length > 0) {
    throw new SetupError(`Still missing after the installation:\n${still.map(describeMissing).join('\n')}`);
  }
  for (const { tool, hint } of plan.elsewhere) say(`Note: ${tool.name} is not installed: ${hint}.`);
}

async function setUpTemporal(): Promise<void> {
  try {
    await findTemporalCli({ report: say });
  } catch (error) {
    if (error instanceof TemporalCliError) throw new SetupError(error.message);
    throw error;
  }
}
