/**
 * The native table beside bubblewrap and crun: the same guest as in attacks.security, behind each with the options that the benchmark gives them. What
 * they answer otherwise is printed; nothing is asked of them but that the guest comes to its end.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { cellAt } from '../../bench/matrix/column.js'
import { bubblewrap } from '../../bench/modes/bubblewrap.js'
import { oneShot } from '../../bench/modes/command-line.js'
import { crun } from '../../bench/modes/crun.js'
import type { PlacedMode } from '../../bench/place.js'
import { Workbench } from '../../bench/workbench.js'
import { compileGuest } from '../support/compile-guest.js'
import { ANSWERS, judgeAnswers } from '../support/native-table.js'
import { BUSYBOX, CC, NATIVE, program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/attacks beside peers')
const beside = test.needs(NATIVE, BUSYBOX, CC, program('bwrap'), program('crun'))
const ROWS = Object.keys(ANSWERS).length
/** 0:0 is no device, and anybody may make it where there is a /dev/shm. */
const HARMLESS = 'mknod-whiteout-shm'

beside('bubblewrap and crun answer some rows of the native table otherwise, wolffia none', async () => {
  await using workbench = await Workbench.open({ quick: true })
  const root = await workbench.rootDirectory()
  await mkdir(join(root, 'table'))
  await compileGuest('attacks', join(root, 'table/attacks'))
  const judge = async (mode: PlacedMode) => {
    const { talk } = cellAt(workbench, await mode.place(workbench), mode.name)
    const { wrong, absent } = judgeAnswers((await talk(['/table/attacks'])).output)
    return { wrong: wrong.filter(([row]) => row !== HARMLESS), absent }
  }
  assert.equal((await judge(oneShot)).wrong, [])
  for (const peer of [bubblewrap, crun]) {
    const { wrong, absent } = await judge(peer)
    console.log(`# FIGURE ${peer.name}: ${wrong.length} of ${ROWS} rows otherwise: ${wrong.map((row) => row.join(' ')).join(', ')}`)
    assert.ok(wrong.length > 0 && absent.length < ROWS / 2, peer.name)
  }
})

test.run()
