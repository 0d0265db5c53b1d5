/** Runs every attempt once, in order, and prints a line each: attempt, outcome, microseconds, got/wanted, note, parted by tabs. */
import { monotonicNs } from '../../../wasm/wasi/clock'
import { print, printError } from '../../../wasm/wasi/console'
import { exit } from '../../../wasm/wasi/process'
import { bombDisk, bombMemory, bombProcesses } from './bomb'
import { Errand, readErrand } from './errand'
import { reachKernel, reachNetwork, reachOutside } from './reach'
import { GOT, Result, reportLine } from './report'
import { stealEnvironment, stealHostname, stealKeys, stealProcesses } from './steal'

const errand = new Errand()
let loot = 0

function attempt(name: string, run: (errand: Errand) => Result): void {
  const startNs = monotonicNs()
  const result = run(errand)
  reportLine(name, (monotonicNs() - startNs) / 1000, result)
  if (result.outcome == GOT) loot++
}

const stranger = readErrand(errand)
if (stranger != '') {
  printError('thief: not a word of mine: ' + stranger)
  exit(2)
}
print('thief/1\twasi')
attempt('keys', stealKeys)
attempt('environment', stealEnvironment)
attempt('hostname', stealHostname)
attempt('processes', stealProcesses)
attempt('phone-home', reachNetwork)
attempt('write-outside', reachOutside)
attempt('kernel', reachKernel)
attempt('fork', bombProcesses)
attempt('disk', bombDisk)
attempt('memory', bombMemory)
print('end\t' + loot.toString())
exit(loot > 0 ? 1 : 0)
