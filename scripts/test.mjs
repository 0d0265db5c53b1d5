// `npm test [-- FILTER …]`: sets up, runs every test file in a process of its own and adds up. What uvu would hide fails here:
// a file that runs no test, fewer passed than there are, a file that never ends.
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setUp } from './setup.mjs'
import { filesBelow, root } from './tree.mjs'

const words = process.argv.slice(2)
const long = words.includes('--long')
const filters = words.filter((word) => !word.startsWith('--'))
const fileTimeoutMs = long ? 1_200_000 + 10_000 * Number(process.env.WOLFFIA_LONG_SECONDS ?? 60) : 300_000
/** After its last test a file may end what it has started; what a failed test has left open is not waited for. */
const endTimeoutMs = 60_000
/** What uvu prints when all tests of a file are over. */
const SUMMARY = /^\s*Skipped:\s+\d+/m
await setUp({ tests: true })

const suffix = long ? '.long.ts' : '.test.ts'
const files = filesBelow('test', (name) => name.endsWith(suffix)).filter(
  (file) => filters.length === 0 || filters.some((filter) => file.includes(filter)),
)
const totals = { passed: 0, failed: 0, skipped: 0 }
const failedFiles = []
const skips = []
const running = new Set()

/** Ends a test file with all that it started. */
function endGroup(child) {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

// In groups of their own, test files hear nothing of a ^C.
for (const [signal, exitCode] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
])
  process.once(signal, () => {
    for (const child of running) endGroup(child)
    process.exit(exitCode)
  })

function runFile(file) {
  return new Promise((resolve) => {
    const started = Date.now()
    const child = spawn(process.execPath, ['--enable-source-maps', join(root, 'build', file.replace(/\.ts$/, '.js'))], {
      cwd: root,
      // Of the many stores that tests make none is to keep a holder for minutes.
      env: { WOLFFIA_HOLDER_SECONDS: '2', ...process.env, FORCE_COLOR: '0' },
      detached: true,
    })
    let output = ''
    let timer
    const endAfter = (limitMs, since) => {
      clearTimeout(timer)
      timer = setTimeout(() => {
        output += `\n${file} did not end within ${limitMs / 1000} s${since}\n`
        endGroup(child)
        // Whoever left the group may hold its output open for ever.
        for (const stream of [child.stdout, child.stderr]) stream.destroy()
      }, limitMs)
    }
    endAfter(fileTimeoutMs, '')
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk
        if (SUMMARY.test(chunk)) endAfter(endTimeoutMs, ' of its last test')
      })
    running.add(child)
    child.on('close', (status) => {
      clearTimeout(timer)
      running.delete(child)
      resolve({ file, status, output, seconds: (Date.now() - started) / 1000 })
    })
  })
}

function count({ file, status, output, seconds }) {
  const total = Number(/^\s*Total:\s+(\d+)/m.exec(output)?.[1] ?? 0)
  const passed = Number(/^\s*Passed:\s+(\d+)/m.exec(output)?.[1] ?? 0)
  const skippedHere = [...output.matchAll(/^# SKIP (.*)$/gm)].map((match) => match[1])
  const good = status === 0 && total > 0 && passed === total
  totals.passed += passed - skippedHere.length
  totals.skipped += skippedHere.length
  totals.failed += good ? 0 : Math.max(1, total - passed)
  skips.push(...skippedHere)
  if (!good) failedFiles.push(file)
  console.log(
    `${good ? 'ok  ' : 'FAIL'} ${file} (${passed}/${total}${skippedHere.length > 0 ? `, ${skippedHere.length} skipped` : ''}, ${seconds.toFixed(1)} s)`,
  )
  if (!good) console.log(output.replace(/^/gm, '     '))
  else for (const [, figure] of output.matchAll(/# FIGURE (.*)$/gm)) console.log(`     ${figure}`)
}

const queue = [...files]
await Promise.all(
  Array.from({ length: Math.max(2, availableParallelism()) }, async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) count(await runFile(file))
  }),
)
for (const skip of new Set(skips)) console.log(`skipped: ${skip}`)
if (failedFiles.length > 0) console.log(`failed: ${failedFiles.join(' ')}`)
console.log(`${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''}`)
process.exitCode = totals.failed === 0 && totals.passed > 0 ? 0 : 1
