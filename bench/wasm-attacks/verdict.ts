import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../../src/errors.js'
import type { Workbench } from '../workbench.js'
import { type Attack, type Ground, SECRET } from './attack.js'
import type { RunAttack } from './engines.js'

/** A table that grows until V8 gives no more, or the process ends. */
// (module (memory (export "memory") 1) (table 1 externref) (func (export "_start")
//   (loop (br_if 0 (i32.ne (table.grow (ref.null extern) (i32.const 1000000)) (i32.const -1))))))
const TABLE_MODULE = Buffer.from(
  '0061736d01000000010401600000030201000404016f00010503010001071302066d656d6f72790200065f737461727400000a150113000340d06f41c0843dfc0f00417f470d000b0b',
  'hex',
)

/** What an attack came to; anything else is why it could not be tried. */
export type Verdict = 'held' | 'ESCAPED' | 'no limit' | 'host down' | string

/** Tries an attack on ground of its own: a secret of the host's beside the folder that the guest is given, and links to it within. */
export async function tryAttack(workbench: Workbench, attack: Attack, run: RunAttack): Promise<Verdict> {
  const table = () => workbench.once('table bomb', () => workbench.file('table.wasm', TABLE_MODULE))
  const module = attack.module === 'table' ? await table() : workbench.modulePath('probe')
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-attack-'))
  const ground: Ground = { folder, secret: join(folder, 'secret') }
  const data = join(folder, 'data')
  try {
    mkdirSync(data)
    writeFileSync(ground.secret, SECRET)
    writeFileSync(join(data, 'file'), 'file')
    symlinkSync('../secret', join(data, 'host-link'))
    symlinkSync(ground.secret, join(data, 'absolute-link'))
    return attack.judge(await run(module, attack.words, data, attack.patienceMs), ground) ?? 'held'
  } catch (error) {
    return messageOf(error)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
