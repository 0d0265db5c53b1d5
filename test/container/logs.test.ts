import { appendFileSync, closeSync, openSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { type LogFile, type LogOptions, readLog } from '../../src/container/logs.js'
import { withFolder } from '../support/image-fixtures.js'
import { suite } from '../support/suite.js'

const test = suite('container/logs')

/** Writes numbered lines as the launcher does. */
class Writer {
  count = 0

  constructor(private readonly log: LogFile) {}

  write(lines: number): void {
    const entry = (number: number) => JSON.stringify({ log: `line ${number}\n`, stream: 'stdout', time: '2026-01-01T00:00:00.000000000Z' })
    appendFileSync(this.log.path, Array.from({ length: lines }, () => `${entry(this.count++)}\n`).join(''))
  }

  turnOver(): void {
    const name = (number: number) => (number === 0 ? this.log.path : `${this.log.path}.${number}`)
    for (let number = this.log.files - 1; number > 0; number--)
      if (statSync(name(number - 1), { throwIfNoEntry: false })) renameSync(name(number - 1), name(number))
    closeSync(openSync(this.log.path, 'a'))
  }
}

function withLog(files: number, body: (log: LogFile, writer: Writer) => Promise<void>): Promise<void> {
  return withFolder((folder) => {
    const log = { path: join(folder, 'log'), files }
    return body(log, new Writer(log))
  })
}

const numberIn = (text: string) => Number(/^line (\d+)\n$/.exec(text)?.[1])
const upTo = (count: number, from = 0) => Array.from({ length: count - from }, (_, index) => from + index)

async function numbers(log: LogFile, options: LogOptions = {}): Promise<readonly number[]> {
  const seen: number[] = []
  for await (const { text } of readLog(log, options, () => true)) seen.push(numberIn(text))
  return seen
}

test('a log is read whole, oldest file first, or as much of its end as is asked for', () =>
  withLog(3, async (log, writer) => {
    assert.equal(await numbers(log), [])
    for (let file = 0; file < 3; file++) {
      if (file > 0) writer.turnOver()
      writer.write(700)
    }
    assert.equal(await numbers(log), upTo(2100))
    for (const tail of [0, 1, 699, 700, 701, 2100, 5000]) assert.equal(await numbers(log, { tail }), upTo(2100, Math.max(0, 2100 - tail)))
  }))

test('who reads a log that is turned over at this moment gets each line once and in order', () =>
  withLog(4, async (log, writer) => {
    writer.write(50)
    writer.turnOver()
    writer.write(50)
    for (let round = 0; round < 40; round++) {
      const known = writer.count
      const reading = numbers(log)
      // At any moment between two of its steps.
      for (let step = 0; step < round % 20; step++) await new Promise(setImmediate)
      writer.turnOver()
      writer.write(50)
      if (round % 3 === 0) {
        writer.turnOver()
        writer.write(50)
      }
      const seen = await reading
      assert.equal(seen, upTo((seen[0] ?? 0) + seen.length, seen[0]), `round ${round}`)
      assert.ok(seen.length >= 50 && (seen.at(-1) ?? 0) >= known - 1, `round ${round}: ${seen[0]} to ${seen.at(-1)} of ${known}`)
    }
  }))

test('who follows a log misses no line and gets none twice, however often it is turned over between two looks', () =>
  withLog(5, async (log, writer) => {
    writer.write(10)
    const seen: number[] = []
    let over = false
    const following = (async () => {
      for await (const { text } of readLog(log, { follow: true }, () => over)) seen.push(numberIn(text))
    })()
    for (let round = 0; round < 60; round++) {
      for (let turn = 0; turn < round % 4; turn++) {
        writer.turnOver()
        writer.write(7)
      }
      writer.write(3)
      if (round % 5 === 0) await sleep(5)
      // As far as it has come, at the latest before a file that has not been read is dropped.
      for (let tries = 0; seen.length < writer.count && tries < 400; tries++) await sleep(5)
    }
    over = true
    await following
    assert.equal(seen, upTo(writer.count))
  }))

test('who follows a log that is removed goes on with the one that is begun anew, and reads nothing older twice', () =>
  withLog(3, async (log, writer) => {
    writer.write(5)
    writer.turnOver()
    writer.write(5)
    const seen: number[] = []
    let over = false
    const following = (async () => {
      for await (const { text } of readLog(log, { follow: true }, () => over)) seen.push(numberIn(text))
    })()
    for (let tries = 0; seen.length < 10 && tries < 200; tries++) await sleep(5)
    rmSync(log.path)
    await sleep(600)
    writer.write(5)
    for (let tries = 0; seen.length < 15 && tries < 400; tries++) await sleep(5)
    over = true
    await following
    assert.equal(seen, upTo(15))
  }))

test('a line that a crash or a full disk has spoilt is passed over', () =>
  withLog(1, async (log, writer) => {
    writer.write(1)
    for (const spoilt of [
      '',
      '{"log":"x',
      'null',
      '[]',
      '{"log":1,"stream":"stdout","time":""}',
      '\0\0\0',
      '{"stream":"stdin","log":"","time":""}',
    ])
      writeFileSync(log.path, `${spoilt}\n`, { flag: 'a' })
    writer.write(1)
    writeFileSync(log.path, '{"log":"line 2', { flag: 'a' })
    assert.equal(await numbers(log), [0, 1])
  }))

test('a long log is read in the memory of a short one', () =>
  withLog(1, async (log) => {
    const line = `${JSON.stringify({ log: `${'x'.repeat(600)}\n`, stream: 'stdout', time: '2026-01-01T00:00:00.000000000Z' })}\n`
    const lines = 100_000
    writeFileSync(log.path, line.repeat(lines))
    for (const options of [{}, { tail: 90_000 }]) {
      let count = 0
      let most = 0
      const before = process.memoryUsage.rss()
      for await (const _ of readLog(log, options, () => true)) if (count++ % 1000 === 0) most = Math.max(most, process.memoryUsage.rss())
      assert.is(count, options.tail ?? lines)
      assert.ok(most - before < 64 << 20, `${(most - before) >> 20} MiB`)
    }
  }))

test.run()
