// Checks one entry of a Portledger log with Go's own transparency log packages and not a line of Portledger.
//
//	go run . URL key.pub FILE.tlog-proof
//
// It prints what the proof file discloses once that is in the tree of the checkpoint inside the file, and in the tree that is
// served at URL now, by the served tiles; both checkpoints must be signed by the key. See docs/formats.md, sections 1, 2, 5.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	log.SetFlags(0)
	url, keyFile, proofFile := os.Args[1], os.Args[2], os.Args[3]
	key := must(note.NewVerifier(strings.TrimSpace(string(must(os.ReadFile(keyFile))))))
	served := open(get(url+"/checkpoint"), key)

	head, signed, _ := bytes.Cut(must(os.ReadFile(proofFile)), []byte("\n\n"))
	proven := open(signed, key)
	var index int64
	var proof tlog.RecordProof
	var disclosed []byte
	for _, line := range strings.Split(string(head), "\n")[1:] {
		if digits, ok := strings.CutPrefix(line, "index "); ok {
			index = must(strconv.ParseInt(digits, 10, 64))
		} else if extra, ok := strings.CutPrefix(line, "extra "); ok {
			disclosed = must(base64.StdEncoding.DecodeString(extra))
		} else {
			proof = append(proof, must(tlog.ParseHash(line)))
		}
	}

	// kind ‖ salt[32] ‖ bytes; the log's entry is kind ‖ SHA-256(salt ‖ bytes).
	if len(disclosed) < 33 || disclosed[0] != 1 {
		log.Fatal("the proof file discloses no record")
	}
	commitment := sha256.Sum256(disclosed[1:])
	leaf := tlog.RecordHash(append([]byte{1}, commitment[:]...))

	if err := tlog.CheckRecord(proof, proven.N, proven.Hash, index, leaf); err != nil {
		log.Fatal("the proof file: ", err)
	}
	path := must(tlog.ProveRecord(served.N, index, tlog.TileHashReader(served, tiles(url))))
	if err := tlog.CheckRecord(path, served.N, served.Hash, index, leaf); err != nil {
		log.Fatal("the served log: ", err)
	}
	fmt.Printf("entry %d, of %d then and %d now\n%s\n", index, proven.N, served.N, disclosed[33:])
}

// open verifies a checkpoint: origin, size, root, signature.
func open(signed []byte, key note.Verifier) tlog.Tree {
	text := must(note.Open(signed, note.VerifierList(key))).Text
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] != key.Name() {
		log.Fatalf("the checkpoint is of %q, expected %q", lines[0], key.Name())
	}
	return tlog.Tree{N: must(strconv.ParseInt(lines[1], 10, 64)), Hash: must(tlog.ParseHash(lines[2]))}
}

// tiles reads C2SP tlog-tiles: those of Go's checksum database, 256 wide, without the height in the path.
type tiles string

func (url tiles) Height() int { return 8 }

func (url tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range wanted {
		read = append(read, get(string(url)+"/tile/"+strings.TrimPrefix(tile.Path(), "tile/8/")))
	}
	return read, nil
}

func (url tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// get trusts the certificate authorities in the file that SSL_CERT_FILE names.
func get(url string) []byte {
	answer := must(http.Get(url))
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		log.Fatalf("%s: %s", url, answer.Status)
	}
	return must(io.ReadAll(answer.Body))
}
