/**
 * The functions of `wasi_snapshot_preview1` as the host offers them: pointers, lengths and errno numbers.
 * Guests use the modules beside this one; here is only what the linker must know.
 */

export type errno = u16
export type fd = i32
export type size = usize

@external("wasi_snapshot_preview1", "args_get")
export declare function args_get(argv: usize, argv_buf: usize): errno
@external("wasi_snapshot_preview1", "args_sizes_get")
export declare function args_sizes_get(argc: usize, argv_buf_size: usize): errno
@external("wasi_snapshot_preview1", "environ_get")
export declare function environ_get(environ: usize, environ_buf: usize): errno
@external("wasi_snapshot_preview1", "environ_sizes_get")
export declare function environ_sizes_get(environc: usize, environ_buf_size: usize): errno
@external("wasi_snapshot_preview1", "clock_res_get")
export declare function clock_res_get(id: i32, resolution: usize): errno
@external("wasi_snapshot_preview1", "clock_time_get")
export declare function clock_time_get(id: i32, precision: u64, time: usize): errno
@external("wasi_snapshot_preview1", "random_get")
export declare function random_get(buf: usize, buf_len: size): errno
@external("wasi_snapshot_preview1", "sched_yield")
export declare function sched_yield(): errno
@external("wasi_snapshot_preview1", "proc_exit")
export declare function proc_exit(code: u32): void
@external("wasi_snapshot_preview1", "proc_raise")
export declare function proc_raise(signal: i32): errno
@external("wasi_snapshot_preview1", "poll_oneoff")
export declare function poll_oneoff(subscriptions: usize, events: usize, count: size, event_count: usize): errno

@external("wasi_snapshot_preview1", "fd_advise")
export declare function fd_advise(fd: fd, offset: u64, len: u64, advice: i32): errno
@external("wasi_snapshot_preview1", "fd_allocate")
export declare function fd_allocate(fd: fd, offset: u64, len: u64): errno
@external("wasi_snapshot_preview1", "fd_close")
export declare function fd_close(fd: fd): errno
@external("wasi_snapshot_preview1", "fd_datasync")
export declare function fd_datasync(fd: fd): errno
@external("wasi_snapshot_preview1", "fd_fdstat_get")
export declare function fd_fdstat_get(fd: fd, stat: usize): errno
@external("wasi_snapshot_preview1", "fd_fdstat_set_flags")
export declare function fd_fdstat_set_flags(fd: fd, flags: i32): errno
@external("wasi_snapshot_preview1", "fd_filestat_get")
export declare function fd_filestat_get(fd: fd, stat: usize): errno
@external("wasi_snapshot_preview1", "fd_filestat_set_size")
export declare function fd_filestat_set_size(fd: fd, size: u64): errno
@external("wasi_snapshot_preview1", "fd_filestat_set_times")
export declare function fd_filestat_set_times(fd: fd, atim: u64, mtim: u64, flags: i32): errno
@external("wasi_snapshot_preview1", "fd_pread")
export declare function fd_pread(fd: fd, iovs: usize, iovs_len: size, offset: u64, nread: usize): errno
@external("wasi_snapshot_preview1", "fd_prestat_get")
export declare function fd_prestat_get(fd: fd, prestat: usize): errno
@external("wasi_snapshot_preview1", "fd_prestat_dir_name")
export declare function fd_prestat_dir_name(fd: fd, path: usize, path_len: size): errno
@external("wasi_snapshot_preview1", "fd_pwrite")
export declare function fd_pwrite(fd: fd, iovs: usize, iovs_len: size, offset: u64, nwritten: usize): errno
@external("wasi_snapshot_preview1", "fd_read")
export declare function fd_read(fd: fd, iovs: usize, iovs_len: size, nread: usize): errno
@external("wasi_snapshot_preview1", "fd_readdir")
export declare function fd_readdir(fd: fd, buf: usize, buf_len: size, cookie: u64, bufused: usize): errno
@external("wasi_snapshot_preview1", "fd_renumber")
export declare function fd_renumber(from: fd, to: fd): errno
@external("wasi_snapshot_preview1", "fd_seek")
export declare function fd_seek(fd: fd, offset: i64, whence: i32, newoffset: usize): errno
@external("wasi_snapshot_preview1", "fd_sync")
export declare function fd_sync(fd: fd): errno
@external("wasi_snapshot_preview1", "fd_tell")
export declare function fd_tell(fd: fd, offset: usize): errno
@external("wasi_snapshot_preview1", "fd_write")
export declare function fd_write(fd: fd, iovs: usize, iovs_len: size, nwritten: usize): errno

@external("wasi_snapshot_preview1", "path_create_directory")
export declare function path_create_directory(fd: fd, path: usize, path_len: size): errno
@external("wasi_snapshot_preview1", "path_filestat_get")
export declare function path_filestat_get(fd: fd, flags: i32, path: usize, path_len: size, stat: usize): errno
@external("wasi_snapshot_preview1", "path_link")
export declare function path_link(
  old_fd: fd, old_flags: i32, old_path: usize, old_path_len: size, new_fd: fd, new_path: usize, new_path_len: size,
): errno
@external("wasi_snapshot_preview1", "path_open")
export declare function path_open(
  fd: fd, dirflags: i32, path: usize, path_len: size, oflags: i32, rights_base: u64, rights_inheriting: u64, fdflags: i32, opened: usize,
): errno
@external("wasi_snapshot_preview1", "path_readlink")
export declare function path_readlink(fd: fd, path: usize, path_len: size, buf: usize, buf_len: size, bufused: usize): errno
@external("wasi_snapshot_preview1", "path_remove_directory")
export declare function path_remove_directory(fd: fd, path: usize, path_len: size): errno
@external("wasi_snapshot_preview1", "path_rename")
export declare function path_rename(fd: fd, old_path: usize, old_path_len: size, new_fd: fd, new_path: usize, new_path_len: size): errno
@external("wasi_snapshot_preview1", "path_symlink")
export declare function path_symlink(old_path: usize, old_path_len: size, fd: fd, new_path: usize, new_path_len: size): errno
@external("wasi_snapshot_preview1", "path_unlink_file")
export declare function path_unlink_file(fd: fd, path: usize, path_len: size): errno
@external("wasi_snapshot_preview1", "sock_accept")
export declare function sock_accept(fd: fd, flags: i32, accepted: usize): errno
@external("wasi_snapshot_preview1", "sock_recv")
export declare function sock_recv(fd: fd, iovs: usize, iovs_len: size, flags: i32, nread: usize, oflags: usize): errno
@external("wasi_snapshot_preview1", "sock_send")
export declare function sock_send(fd: fd, iovs: usize, iovs_len: size, flags: i32, nwritten: usize): errno
@external("wasi_snapshot_preview1", "sock_shutdown")
export declare function sock_shutdown(fd: fd, how: i32): errno
