import Foundation
import Glibc
import GodwitProtocol
import Testing

extension EndToEnd.Networks {
    /// What an operator does to a node that runs (SEC-07, SEC-08, ERR-07).
    @Suite("Node operation")
    struct NodeOperationTests {
        private func fetch(_ site: Site, _ path: String, _ arguments: [String] = []) async throws -> Outcome {
            try await Child(
                "/usr/bin/curl", ["-sS", "-k", "-i", "https://127.0.0.1:\(site.port)\(path)"] + arguments,
                in: site.tool.scratch.path
            ).ended()
        }

        @Test("metrics, health and maintenance as curl sees them; a restart does not end maintenance")
        func maintenance() async throws {
            let site = try await Site(Tool(), "harbour")
            let node = try await site.start()
            let tool = site.tool
            _ = try await site.enrol("alice-m", home: "alice")
            let metrics = try await fetch(site, "/metrics").out
            for line in [
                #"godwit_logins_total{result="accepted",step="auth_register"} 1"#, "godwit_users 1",
                "godwit_sessions 1",
                #"godwit_queue_items{class="control"} 0"#, "process_resident_memory_bytes ",
            ] { #expect(metrics.contains(line), "\(line)") }
            #expect(!metrics.contains("alice"))

            try await tool.json("node", "maintenance", "on", "--home", site.home)
            for path in ["/api/v1/node", "/api/v1/channels"] {
                let answer = try await fetch(site, path).out
                #expect(answer.hasPrefix("HTTP/1.1 503") && answer.lowercased().contains("retry-after: 60"))
                #expect(answer.contains("MAINTENANCE_MODE"))
            }
            #expect(try await fetch(site, "/healthz").out.hasPrefix("HTTP/1.1 200"))
            #expect(try await fetch(site, "/readyz").out.hasPrefix("HTTP/1.1 503"))
            let sync = try await tool.run("sync", "--home", "alice", "--json")
            #expect(sync.code == 75, "try again later: \(sync)")
            node.kill(SIGTERM)
            _ = try await node.ended()
            let second = try await site.start()
            #expect(try await fetch(site, "/readyz").out.hasPrefix("HTTP/1.1 503"))
            try await tool.json("node", "maintenance", "off", "--home", site.home)
            #expect(try await fetch(site, "/readyz").out.hasPrefix("HTTP/1.1 200"))
            try await tool.json("sync", "--home", "alice")
            withExtendedLifetime(second) {}
        }

        @Test("settings are read again on SIGHUP and on order; what cannot change is named, and nothing changes then")
        func reload() async throws {
            let site = try await Site(Tool(), "harbour")
            let node = try await site.start()
            let tool = site.tool
            let file = tool.scratch.path + "/\(site.home)/node/node.yaml"
            let first = try String(contentsOfFile: file, encoding: .utf8)
            let page = ["-H", "Origin: https://chat.example"]
            #expect(!(try await fetch(site, "/api/v1/node", page).out.lowercased().contains("access-control")))
            try (first + "origins: \"https://chat.example\"\nlimits: {login: {burst: 5, per_minute: 1}}\n")
                .write(toFile: file, atomically: true, encoding: .utf8)
            let changed = try await tool.json("node", "reload", "--home", site.home)["changed"]?.array
            #expect(changed?.compactMap(\.string) == ["origins", "limits"])
            let allowed = try await fetch(site, "/api/v1/node", page).out.lowercased()
            #expect(allowed.contains("access-control-allow-origin: https://chat.example"))
            var last = Outcome(code: 0, out: "", complaint: "")
            for _ in 0..<6 { last = try await fetch(site, "/api/v1/node") }
            #expect(last.out.hasPrefix("HTTP/1.1 429") && last.out.lowercased().contains("retry-after: "))

            try (first + "tls: false\norigins: \"*\"\n").replacingOccurrences(of: "tls: true\n", with: "")
                .write(toFile: file, atomically: true, encoding: .utf8)
            let refused = try await tool.run("node", "reload", "--home", site.home, "--json")
            #expect(refused.code == 65 && refused.complaint.contains("tls"), "\(refused)")

            try first.write(toFile: file, atomically: true, encoding: .utf8)
            node.kill(SIGHUP)
            for _ in 0..<200 {
                if try await fetch(site, "/api/v1/node", page).out.hasPrefix("HTTP/1.1 200") { break }
                try await Task.sleep(for: .milliseconds(50))
            }
            let after = try await fetch(site, "/api/v1/node", page).out.lowercased()
            #expect(after.hasPrefix("http/1.1 200") && !after.contains("access-control"))
        }

        @Test("a node is backed up while it runs, checked, and made anew elsewhere; its users go on")
        func backup() async throws {
            let site = try await Site(Tool(), "harbour")
            let node = try await site.start()
            let tool = site.tool
            _ = try await site.enrol("alice-m", home: "alice")
            try await tool.json("sync", "--home", "alice")
            try await tool.json("node", "backup", "copy", "--home", site.home)
            #expect(try await tool.run("node", "verify", "copy").code == 0)
            let refused = try await tool.run("node", "restore", "copy", "--home", site.home)
            #expect(refused.code == 65)
            node.kill(SIGTERM)
            _ = try await node.ended()
            #expect(
                try await tool.json("node", "restore", "copy", "--home", site.home, "--force")["id"]?.string == site.id)
            let second = try await site.start()
            try await tool.json("channel", "create", "#again", "--home", "alice")
            try await tool.json("sync", "--home", "alice")
            try await tool.json("sync", "--home", "alice")
            let status = try await tool.json("node", "status", "--home", site.home)
            #expect(status["channels"]?.integer == 1 && status["users"]?.integer == 1)
            withExtendedLifetime(second) {}
        }

        @Test("an invite lets one person in, and the audit log says what happened")
        func invite() async throws {
            let site = try await Site(Tool(), "harbour")
            let tool = site.tool
            let file = tool.scratch.path + "/\(site.home)/node/node.yaml"
            let yaml = try String(contentsOfFile: file, encoding: .utf8)
            try yaml.replacingOccurrences(of: "registration: open", with: "registration: invite")
                .write(toFile: file, atomically: true, encoding: .utf8)
            let node = try await site.start()
            try tool.scratch.write("correct horse battery staple\n", to: "passphrase")
            for name in ["alice-m", "bob-m"] {
                try await tool.json(
                    "identity", "create", name, "--home", name, "--node", site.descriptorFile, "--passphrase-file",
                    "passphrase")
            }
            let text = try await tool.json("node", "invite", "--home", site.home)["invite"]?.string ?? ""
            func register(_ name: String) async throws -> Int32 {
                try await tool.run(
                    "register", "--home", name, "--passphrase-file", "passphrase", "--invite", text
                ).code
            }
            #expect(try await register("alice-m") == 0)
            #expect(try await register("bob-m") == 77)
            let log = try await tool.run("node", "audit", "--home", site.home, "--json").value().array ?? []
            #expect(log.compactMap { $0.object?["kind"]?.string } == ["registered", "invite_made"])
            withExtendedLifetime(node) {}
        }
    }
}
