/** `npm run bench -- attacks`: each attack of `images/attacks/` against the native wall and, for comparison, other runtimes. */
import { ATTACK_EXITS, nativeAttacks } from '../../images/attacks/compile.js'
import { messageOf } from '../../src/errors.js'
import { Unavailable } from '../unavailable.js'
import { packageRoot, Workbench } from '../workbench.js'
import { SUBJECTS, withAttacks } from './subjects.js'

type Attempt = (attack: string) => Promise<number>

/** Prints the table; resolves with 1 when ours did not hold. */
export async function attacks(): Promise<number> {
  await using workbench = await Workbench.open({ quick: true })
  await withAttacks(workbench)
  const reasons: string[] = []
  const attempts: (Attempt | null)[] = []
  for (const { name, open } of SUBJECTS)
    attempts.push(
      await open(workbench).catch((error: unknown) => {
        if (!(error instanceof Unavailable)) throw error
        reasons.push(`${name} cannot run here: ${messageOf(error)}`)
        return null
      }),
    )
  process.stdout.write(`${line(['attack', ...SUBJECTS.map(({ name }) => name)])}\n`)
  let held = true
  for (const { name } of nativeAttacks(packageRoot)) {
    const verdicts: string[] = []
    for (const attempt of attempts) verdicts.push(attempt === null ? '-' : verdictOf(await attempt(name)))
    held &&= verdicts[0] === 'held' || verdicts[0] === 'not here'
    process.stdout.write(`${line([name, ...verdicts])}\n`)
  }
  process.stdout.write(reasons.map((reason) => `${reason}\n`).join(''))
  return held ? 0 : 1
}

/** A code that is no attack's is the runtime's own. */
function verdictOf(exitCode: number): string {
  return ATTACK_EXITS[exitCode] ?? `no start (${exitCode})`
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, place) => cell.padEnd(place === 0 ? 26 : 15))
    .join('')
    .trimEnd()
}
