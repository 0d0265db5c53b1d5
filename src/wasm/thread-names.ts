/** Names of wasi-threads (github.com/WebAssembly/wasi-threads): what a module imports to make a thread, and exports to be one. */
export const SPAWN_MODULE = 'wasi'
export const SPAWN_FIELD = 'thread-spawn'
export const THREAD_START = 'wasi_thread_start'

/** Threads of one guest at most, its first one included: each is a thread of Node, with an instance of the module. */
export const GUEST_THREADS_MAXIMUM = 64
