/** WASI 0.2 components behind the Wasm wall, made of the programs that the wall is tested with as modules. */
import * as assert from 'uvu/assert'
import { componentOf } from '../support/components.js'
import { suite } from '../support/suite.js'
import { guestBytes, withWasmWall } from '../support/wasm-wall.js'

const test = suite('wasm/component')

test('a component runs as a module does: arguments, output, exit code, receipt', async () => {
  const component = await componentOf(guestBytes('hello'))
  await withWasmWall({ '/hello.component.wasm': component }, async ({ run }) => {
    const { status, stdout, stderr, receipt } = await run(['/hello.component.wasm'])
    assert.equal([status.exitCode, status.reason, stdout, stderr], [0, 'exited', 'hello from wasm\n', ''])
    assert.match(receipt.wasm?.engine ?? '', 'component of 4 core modules')
    assert.ok(receipt.wasm?.imports.includes('wasi:cli/stdout@0.2.0'))
    assert.ok(Object.values(receipt.crossCheck).every((agreed) => agreed))
  })
})

test.run()
