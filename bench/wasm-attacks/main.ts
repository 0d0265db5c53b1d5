/** `npm run bench -- wasm-attacks`: each attack of the threat model's Wasm section, against our engines and, for comparison, those of others. */
import { NODE_WASI, wasmerProgram } from '../wasi-programs.js'
import { Workbench } from '../workbench.js'
import { ATTACKS } from './attack.js'
import { inNode, walled } from './engines.js'
import { tryAttack, type Verdict } from './verdict.js'

/** Prints the table; resolves with 1 when one of ours did not hold. */
export async function wasmAttacks(): Promise<number> {
  await using workbench = await Workbench.open({ quick: true })
  const engines = [
    walled(workbench, 'wolffia'),
    walled(workbench, 'wasmer'),
    inNode('@wasmer/wasi alone', wasmerProgram()),
    inNode('node:wasi', NODE_WASI),
  ]
  const rows: (readonly Verdict[])[] = []
  process.stdout.write(`${line(['attack', ...engines.map(({ name }) => name)])}\n`)
  for (const attack of ATTACKS) {
    const verdicts: Verdict[] = []
    for (const { attempt } of engines) verdicts.push(await tryAttack(workbench, attack, attempt))
    rows.push(verdicts)
    process.stdout.write(`${line([attack.name, ...verdicts])}\n`)
  }
  const ours = rows.flatMap((verdicts) => verdicts.slice(0, 2))
  return ours.every((verdict) => verdict === 'held') ? 0 : 1
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, place) => cell.padEnd(place === 0 ? 36 : 22))
    .join('')
    .trimEnd()
}
