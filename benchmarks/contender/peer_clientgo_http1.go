package contender

// clientGoHTTP1 is client-go with HTTP/2 off, which was the remedy of the
// incident: a request that times out then takes its connection with it. Of the
// two documented ways, rest.Config.NextProtos and the variable DISABLE_HTTP2,
// it is the variable, which needs no change of a program and reaches every
// transport that client-go makes.
var clientGoHTTP1 = peer{
	env:     []string{"DISABLE_HTTP2=true"},
	refuses: clientGo.refuses,
	contend: clientGo.contend,
}
