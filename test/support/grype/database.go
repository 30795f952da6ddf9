// Makes a database for Grype, by Grype's own writer, that knows one vulnerability: a stand-in for the real one, which
// no package registry has. Arguments: directory, identifier, severity, package of Debian 13, version that has the fix.
package main

import (
	"os"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
	build "github.com/anchore/grype/grype/db/v6/build"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	directory, id, severity, name, fixed := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	now := time.Now()
	provider := &v6.Provider{ID: "debian", Version: "1", Processor: "stand-in", DateCaptured: &now, InputDigest: "xxh64:0"}
	writer, err := v6.NewWriter(v6.Config{DBDirPath: directory})
	must(err)
	must(writer.SetDBMetadata())
	must(writer.AddProvider(*provider))
	vulnerability := &v6.VulnerabilityHandle{
		Name: id, Status: v6.VulnerabilityActive, ProviderID: provider.ID, Provider: provider,
		PublishedDate: &now, ModifiedDate: &now,
		BlobValue: &v6.VulnerabilityBlob{
			ID: id, Description: "A vulnerability of a test, which does not exist.",
			Severities: []v6.Severity{{Scheme: v6.SeveritySchemeCHMLN, Value: severity, Rank: 1}},
		},
	}
	must(writer.AddVulnerabilities(vulnerability))
	must(writer.AddAffectedPackages(&v6.AffectedPackageHandle{
		Vulnerability:   vulnerability,
		OperatingSystem: &v6.OperatingSystem{Name: "debian", ReleaseID: "debian", MajorVersion: "13", Codename: "trixie"},
		Package:         &v6.Package{Ecosystem: "deb", Name: name},
		BlobValue: &v6.PackageBlob{Ranges: []v6.Range{{
			Version: v6.Version{Type: "dpkg", Constraint: "< " + fixed},
			Fix:     &v6.Fix{Version: fixed, State: v6.FixedStatus},
		}}},
	}))
	must(writer.Close())
	must(build.CreateArchive(directory, "tar.gz", nil))
}
