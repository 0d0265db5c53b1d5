/** Plugins for tests, most written as text: what no compiler would make is what a hostile one would. */
import { Plugin, type PluginOptions } from '../../src/index.js'
import { wat } from './wat.js'

/** Has a plugin for one test, closed whatever happens. */
export async function withPlugin(options: PluginOptions, body: (plugin: Plugin) => Promise<void>): Promise<void> {
  await using plugin = await Plugin.load(options)
  await body(plugin)
}

/** A module with a memory, an `allocate` that always gives the next free bytes, and what `text` adds. */
export function pluginModule(text: string, { imports = '', features }: { imports?: string; features?: number } = {}): Uint8Array {
  const whole = `(module
    ${imports}
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func $allocate (export "allocate") (param $size i32) (result i32)
      (global.set $next (i32.add (global.get $next) (local.get $size)))
      (i32.sub (global.get $next) (local.get $size)))
    ${text})`
  return wat(whole, features)
}

/** Import of a host function of bytes. */
export function hostImport(name: string): string {
  return `(import "wolffia" "${name}" (func $${name} (param i32 i32) (result i64)))`
}

/** Gives back what it is given. */
export const ECHO = `(func (export "echo") (param $at i32) (param $length i32) (result i64)
  (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $length))))`

/** Never ends. */
export const LOOP = `(func (export "loop") (param i32 i32) (result i64) (loop $again (br $again)) (unreachable))`
