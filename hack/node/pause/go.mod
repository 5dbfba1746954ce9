module palio.gg/hack/pause

go 1.24.0
