/** Runs a check, and writes the drop-in file that fixes what it finds. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { failedBy, type Check, type CheckResult, type DoctorContext, type CheckFinding, type Fix } from './check.ts';

/** Runs a check; with `fix`, writes its drop-in file and runs it once more. */
export async function examine(
  check: Check,
  context: DoctorContext,
  fix: boolean,
  write: (fix: Fix) => Promise<void> = writeDropIn,
): Promise<CheckFinding> {
  const first = await attempt(check, context);
  if (!fix || !first.fix || first.status === 'ok') return findingOf(check.name, first, false);
  try {
    await write(first.fix);
  } catch (error) {
    const remedy = `write ${first.fix.file} as root`;
    return findingOf(check.name, { ...first, ...failedBy(error, remedy) }, false);
  }
  const second = await attempt(check, context);
  return findingOf(check.name, second, second.status === 'ok');
}

async function attempt(check: Check, context: DoctorContext): Promise<CheckResult> {
  try {
    return await check.run(context);
  } catch (error) {
    return failedBy(error, 'fix what the message names');
  }
}

export function findingOf(name: string, result: CheckResult, fixed: boolean): CheckFinding {
  return {
    name,
    status: result.status,
    detail: result.detail,
    remedy: result.remedy ?? null,
    fix: result.fix ?? null,
    fixed,
  };
}

/** Writes a file of flightline's own, readable by all like the files beside it. */
async function writeDropIn({ file, content }: Fix): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content, { mode: 0o644 });
}
