import Glibc

/// How many heaps the C library makes for the program's threads.
enum Arenas {
    /// `M_ARENA_MAX` of `malloc.h`, which the Glibc module does not have.
    private static let parameter: Int32 = -8

    /// Two in place of eight a core. Work moves from thread to thread, and what one heap has left over the next one asks of
    /// the system again: a node whose channel 500 devices had joined had 216 MB resident, and 105 MB with two heaps.
    /// What the environment sets (`MALLOC_ARENA_MAX`) holds. To be called before there are threads.
    static func limit() {
        guard getenv("MALLOC_ARENA_MAX") == nil, let found = dlsym(nil, "mallopt") else { return }
        let mallopt = unsafeBitCast(found, to: (@convention(c) (Int32, Int32) -> Int32).self)
        _ = mallopt(parameter, 2)
    }
}
