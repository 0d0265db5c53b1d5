/** `npm run bench -- wasm-attacks`: each attack of the threat model's Wasm section, against our engines and, for comparison, those of others. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../../src/errors.js'
import { NODE_WASI, wasmerProgram } from '../wasi-programs.js'
import { Workbench } from '../workbench.js'
import { ATTACKS, type Attack, type Ground, SECRET } from './attack.js'
import { type AttackedEngine, inNode, walled } from './engines.js'

/** A table that grows until V8 gives no more, or the process ends. */
// (module (memory (export "memory") 1) (table 1 externref) (func (export "_start")
//   (loop (br_if 0 (i32.ne (table.grow (ref.null extern) (i32.const 1000000)) (i32.const -1))))))
const TABLE_MODULE = Buffer.from(
  '0061736d01000000010401600000030201000404016f00010503010001071302066d656d6f72790200065f737461727400000a150113000340d06f41c0843dfc0f00417f470d000b0b',
  'hex',
)

type Verdict = 'held' | 'ESCAPED' | 'no limit' | 'host down' | string

/** Prints the table; resolves with 1 when one of ours did not hold. */
export async function wasmAttacks(): Promise<number> {
  await using workbench = await Workbench.open({ quick: true })
  const engines = [
    walled(workbench, 'wolffia'),
    walled(workbench, 'wasmer'),
    inNode('@wasmer/wasi alone', wasmerProgram()),
    inNode('node:wasi', NODE_WASI),
  ]
  const table = await workbench.file('table.wasm', TABLE_MODULE)
  const rows: (readonly Verdict[])[] = []
  process.stdout.write(`${line(['attack', ...engines.map(({ name }) => name)])}\n`)
  for (const attack of ATTACKS) {
    const verdicts: Verdict[] = []
    for (const engine of engines)
      verdicts.push(await verdictOf(attack, engine, attack.module === 'table' ? table : workbench.modulePath('probe')))
    rows.push(verdicts)
    process.stdout.write(`${line([attack.name, ...verdicts])}\n`)
  }
  const ours = rows.flatMap((verdicts) => verdicts.slice(0, 2))
  return ours.every((verdict) => verdict === 'held') ? 0 : 1
}

async function verdictOf(attack: Attack, engine: AttackedEngine, module: string): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-attack-'))
  const ground: Ground = { folder, secret: join(folder, 'secret') }
  const data = join(folder, 'data')
  try {
    mkdirSync(data)
    writeFileSync(ground.secret, SECRET)
    writeFileSync(join(data, 'file'), 'file')
    symlinkSync('../secret', join(data, 'host-link'))
    symlinkSync(ground.secret, join(data, 'absolute-link'))
    return attack.judge(await engine.attempt(module, attack.words, data), ground) ?? 'held'
  } catch (error) {
    return messageOf(error)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, place) => cell.padEnd(place === 0 ? 36 : 22))
    .join('')
    .trimEnd()
}
