import { buffer } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { fileTar, type TarFile } from '../../src/image/file-tar.js'
import type { ByteSource } from '../../src/layer/source.js'
import { bytesSource } from '../../src/layer/source.js'
import { contentsOf, layerOf, mustFind } from '../layer/tar.js'
import { suite } from '../support/suite.js'

const test = suite('image/file-tar')

function file(path: string, text: string, mode?: number): TarFile {
  return { path, contents: () => bytesSource(Buffer.from(text)), ...(mode === undefined ? {} : { mode }) }
}

test('files come back with their contents and modes, names of any length and language too', async () => {
  const long = `${'very-long-directory-name/'.repeat(12)}file`
  const layer = layerOf(await buffer(fileTar([file('/bin/tool', 'x'.repeat(200_000), 0o755), file(long, 'deep'), file('wörter/ä', 'ü')])))
  assert.is(contentsOf(layer, 'bin/tool').length, 200_000)
  assert.is(layer.stat(mustFind(layer, 'bin/tool')).mode, 0o755)
  assert.is(contentsOf(layer, long), 'deep')
  assert.is(Buffer.from(contentsOf(layer, Buffer.from('wörter/ä').toString('latin1')), 'latin1').toString(), 'ü')
})

test('the same files make the same bytes', async () => {
  const files = [file('a', '1'), file('b', '2')]
  assert.equal(await buffer(fileTar(files)), await buffer(fileTar(files)))
})

test('a name that leaves the root is refused, and every opened file is closed', async () => {
  let open = 0
  const counted = (path: string): TarFile => ({
    path,
    contents: (): ByteSource => {
      open++
      return { ...bytesSource(Buffer.from('x')), close: () => void open-- }
    },
  })
  for (const path of ['../up', 'a/../../b', '/', ''])
    try {
      await buffer(fileTar([counted('good'), counted(path)]))
      assert.unreachable(path)
    } catch (error) {
      assert.instance(error, EngineError)
      assert.is((error as EngineError).code, 'UNSAFE_PATH')
    }
  assert.is(open, 0)
})

test('a reader that goes away in the middle leaves no file open', async () => {
  let closed = false
  const endless: ByteSource = {
    size: 2 ** 30,
    read: (bytes) => bytes.length,
    close: () => {
      closed = true
    },
  }
  for await (const _ of fileTar([{ path: 'large', contents: () => endless }])) break
  for (let turn = 0; !closed && turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(closed)
})

test.run()
