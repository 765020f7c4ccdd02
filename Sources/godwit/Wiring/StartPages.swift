import FoundationEssentials
import Glibc
import ServiceLifecycle

/// Gives back the pages of the program that only the start needed, once it is over.
///
/// Reading settings, bringing tables up to date and registering types touch most of the program, and the kernel parts with
/// mapped program pages last of all; a small box then lacks them elsewhere. What is needed after all comes back from the
/// cache or the disk when it is touched.
struct StartPages: Service {
    /// After the start.
    private static let pause = Duration.seconds(3)

    func run() async throws {
        try await untilShutdown {
            try await Task.sleep(for: Self.pause)
            Self.release()
        }
        try await gracefulShutdown()
    }

    /// Unmaps the pages of files that are mapped without being written to.
    static func release() {
        guard let map = FileManager.default.contents(atPath: "/proc/self/smaps") else { return }
        for range in clean(String(decoding: map, as: UTF8.self)) {
            madvise(UnsafeMutableRawPointer(bitPattern: range.lowerBound), range.count, MADV_DONTNEED)
        }
    }

    /// Mappings of which every page is in its file: read-only, and without a page of their own, as relocated tables have.
    /// - Parameter smaps: as proc(5) describes `/proc/PID/smaps`.
    static func clean(_ smaps: String) -> [Range<UInt>] {
        var found: [Range<UInt>] = []
        var candidate: Range<UInt>?
        for line in smaps.split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            guard let first = words.first else { continue }
            if first == "Anonymous:" {
                if let candidate, words.dropFirst().first == "0" { found.append(candidate) }
                candidate = nil
            } else if !first.hasSuffix(":") {
                candidate = mapping(words)
            }
        }
        return found
    }

    /// The addresses of a read-only private mapping of a file; nil for another one.
    private static func mapping(_ words: [Substring]) -> Range<UInt>? {
        guard words.count >= 6, words[1] == "r-xp" || words[1] == "r--p", words[5].hasPrefix("/") else { return nil }
        let ends = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        guard ends.count == 2, ends[0] < ends[1] else { return nil }
        return ends[0]..<ends[1]
    }
}
