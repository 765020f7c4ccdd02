import FoundationEssentials
import GodwitNode
import GodwitServer
import Metrics

/// What `/metrics` shows: what was counted, and what is so now.
struct NodeMeasures: MetricsSource {
    let registry: PrometheusRegistry
    let node: HomeNode

    /// The one of this process: counters find it without being handed it.
    static let registry: PrometheusRegistry = {
        let registry = PrometheusRegistry()
        MetricsSystem.bootstrap(registry)
        return registry
    }()

    func metrics() async -> String {
        // A store that does not answer leaves the old numbers; that it does not is told by the errors.
        try? await node.recordGauges()
        for (name, value) in Self.process() { Gauge(label: name).record(value) }
        return registry.text()
    }

    /// Resident memory in bytes and open files, under the names that Prometheus gives them.
    private static func process() -> [(String, Int64)] {
        var found: [(String, Int64)] = []
        if let status = FileManager.default.contents(atPath: "/proc/self/status") {
            for line in String(decoding: status, as: UTF8.self).split(separator: "\n") where line.hasPrefix("VmRSS:") {
                let kilobytes = line.split(separator: " ").compactMap { Int64($0) }.first ?? 0
                found.append(("process_resident_memory_bytes", kilobytes * 1_024))
            }
        }
        if let files = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            found.append(("process_open_fds", Int64(files.count)))
        }
        return found
    }
}
