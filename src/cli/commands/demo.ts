import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Engine } from '../../engine/engine.js'
import type { Receipt } from '../../runtime/receipt.js'
import type { CliCommand } from '../command.js'
import { Decoys } from '../decoys.js'
import { Style } from '../output.js'
import { receiptTable } from '../receipt-page.js'
import { stealBehind, stealInTheOpen } from '../theft.js'
import { theftTable } from '../theft-page.js'

/** What `npm start` shows: one hostile program, run in the open, behind the native wall and behind the Wasm wall. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure() {},
  async run() {
    const { Engine } = await import('../../engine/engine.js')
    const style = new Style(process.stdout)
    say(`${style.bold('One hostile program, three times.')} It wants your keys, your files, your network\n`)
    say('and your machine. Decoys stand in for yours, and its bombs are small.\n\n')
    await using engine = await Engine.open()
    const hasPython = await makeSamples(engine)
    await using decoys = await Decoys.plant()
    const thefts = [await stealInTheOpen(decoys), await stealBehind(engine, 'native', decoys), await stealBehind(engine, 'wasm', decoys)]
    const receipts = thefts.flatMap(({ receipt }) => (receipt === null ? [] : [receipt]))
    say(`${theftTable(thefts, style)}\n`)
    if (receipts.length > 0) say(`${receiptTable(receipts, style)}in full:\n`)
    for (const path of await writeReceipts(engine.home, receipts)) say(`  ${path}\n`)
    say(`\n${style.bold('Now you:')}\n${nextCommands(hasPython).join('\n')}\n`)
    return receipts.length > 0 ? 0 : 1
  },
}

function say(text: string): void {
  process.stdout.write(text)
}

/** Makes the images that are missing, and says so, since that takes its time. Resolves with whether there is a python. */
async function makeSamples(engine: Engine): Promise<boolean> {
  const { makeImages } = await import('#images')
  const startMs = performance.now()
  const samples = await makeImages(engine, ['thief', 'python'])
  const made = samples.filter(({ state }) => state === 'made').map(({ name }) => name)
  if (made.length > 0)
    say(`Made the image${made.length > 1 ? 's' : ''} ${made.join(' and ')} in ${((performance.now() - startMs) / 1000).toFixed(1)} s.\n\n`)
  return samples.some(({ name, state }) => name === 'python' && state !== 'impossible')
}

async function writeReceipts(home: string, receipts: readonly Receipt[]): Promise<readonly string[]> {
  const directory = join(home, 'demo')
  await mkdir(directory, { recursive: true, mode: 0o700 })
  return Promise.all(
    receipts.map(async (receipt) => {
      const path = join(directory, `receipt-${receipt.wall}.json`)
      await writeFile(path, `${JSON.stringify(receipt, null, 2)}\n`, { mode: 0o600 })
      return path
    }),
  )
}

/** What to type next, as whoever typed this would type it. */
function nextCommands(hasPython: boolean): readonly string[] {
  const wolffia = process.env.npm_lifecycle_event === 'start' ? 'npm start --silent --' : 'wolffia'
  const python = `echo '[1,2]' | ${wolffia} run --rm -i python -c 'import json; print(sum(json.loads(input())))'`
  return [
    `  ${wolffia} run --rm --runtime wasm --receipt thief`,
    ...(hasPython ? [`  ${python}`] : [`  ${wolffia} images`]),
    `  ${wolffia} doctor`,
  ]
}
